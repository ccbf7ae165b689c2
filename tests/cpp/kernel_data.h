// What the kernel tests share: exact-size aligned memory (so that AddressSanitizer sees one byte too far),
// hostile numbers, random blocks of every weight type, packed tiles, and a comparison of bits.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/cpu.h"
#include "kernels.h"

namespace cutaway::testing {

using kernels::kKvBlock;
using kernels::kLanes;
using kernels::kQBlock;
using kernels::kSegment;
using kernels::Quant;
using kernels::Table;

// n values on a 64-byte boundary and not one more.
template <class T>
class Aligned {
 public:
  explicit Aligned(int64_t n) : n_(n), data_(make(n)) {}
  T* data() const { return data_.get(); }
  int64_t size() const { return n_; }
  T& operator[](int64_t i) const { return data_.get()[i]; }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  static T* make(int64_t n) {
    void* p = nullptr;
    if (posix_memalign(&p, 64, static_cast<size_t>(n) * sizeof(T))) throw std::bad_alloc();
    std::memset(p, 0x5A, static_cast<size_t>(n) * sizeof(T));  // what a kernel forgets to write shows
    return static_cast<T*>(p);
  }
  int64_t n_;
  std::unique_ptr<T, Free> data_;
};

using Random = std::mt19937;

enum class Numbers {
  normal,   // N(0, 1), nearly
  wide,     // every exponent, subnormals, both zeros; all finite
  hostile,  // wide, with infinities and NaN in one value of eight
};
float number(Random& random, Numbers kind);
std::vector<float> numbers(Random& random, int64_t n, Numbers kind);
using kernels::KvType;
inline const KvType kEveryKvType[] = {KvType::f32, KvType::f16, KvType::q8_0};
inline const char* name_of(KvType type) {
  return type == KvType::f32 ? "f32" : type == KvType::f16 ? "f16" : "q8_0";
}
// The sanitizers look for reads and writes out of bounds, at some of the sizes: all of them, for their bits,
// are the optimised build's.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

inline const Numbers kEveryKind[] = {Numbers::normal, Numbers::wide, Numbers::hostile};

uint32_t bits_of(float x);
float float_of(uint32_t bits);
// Equal to the bit; any NaN equals any NaN.
bool same_bits(float a, float b);
::testing::AssertionResult SameBits(const float* got, const float* want, int64_t n);

enum class Scales {
  ordinary,  // 2^-10 .. 2
  extreme,   // 0, -0, subnormals, the largest; of MXFP4 the least and the largest
  hostile,   // extreme, infinities and NaN
};
// Random bytes of n weights as they lie in a file. Of the 16 and 32-bit types every weight is finite.
std::vector<uint8_t> random_blocks(Random& random, const Quant& q, int64_t n, Scales scales);
// Where a block keeps its f16 scales.
std::vector<int> scale_offsets(const Quant& q);
// Writes 2^exponent to every scale of a block, with a sign and fraction as in f16 where it has them.
void set_scales(const Quant& q, uint8_t* block, int exponent, uint16_t sign_and_fraction = 0);

// A matrix [n_out, cols] in file form and as tiles.
struct Packed {
  std::vector<std::vector<uint8_t>> rows;  // 16 * n_tiles file rows; those from n_out on are zero bytes
  Aligned<uint8_t> tiles;
};
Packed pack(const Quant& q, std::vector<std::vector<uint8_t>> rows, int64_t cols);
Packed random_matrix(Random& random, const Quant& q, int64_t n_out, int64_t cols, Scales scales);

// Activation rows in int8 form with memory of their own.
class Codes {
 public:
  Codes(const Table& k, const float* x, int64_t rows, int64_t cols);
  kernels::Int8Rows view() const {
    return {group_,       codes_.data(), scale_.data(), sum_.data(), half_sums_.data(), scaled_sum_.data(),
            start_.data()};
  }
  int code(int64_t row, int64_t col) const { return codes_.data()[at(row, col / 32) * 32 + col % 32]; }
  float scale(int64_t row, int64_t block) const { return scale_.data()[at(row, block)]; }
  float sum(int64_t row, int64_t block) const { return sum_.data()[at(row, block)]; }
  float half_sum(int64_t row, int64_t block, int half) const {
    return half_sums_.data()[2 * at(row, block) + half];
  }
  float scaled_sum(int64_t row, int64_t block) const { return scaled_sum_.data()[at(row, block)]; }

 private:
  int64_t at(int64_t row, int64_t block) const { return kernels::int8_at(group_, row, block, blocks_); }
  int64_t group_, blocks_, places_;
  Aligned<int8_t> codes_;
  Aligned<float> scale_, sum_, half_sums_, scaled_sum_;
  Aligned<int32_t> start_;
};

// Of every instruction set this machine offers, scalar first; AVX-VNNI by its EVEX form where that is all
// there is, and AMX by an emulated tile unit.
std::vector<const Table*> tables();
inline const Table& scalar() { return kernels_for("scalar"); }

// Distance from the true value in units of the last place of the float nearest to it.
double ulps(float got, double truth);

}  // namespace cutaway::testing
