#include "kernel_data.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cutaway::kernels {
const Table* avxvnni_evex_table();  // avxvnni_evex.cpp
const Table* amx_emulated_table();  // amx_emulated.cpp
}  // namespace cutaway::kernels

namespace cutaway::testing {

uint32_t bits_of(float x) {
  uint32_t u;
  std::memcpy(&u, &x, 4);
  return u;
}

float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

float number(Random& random, Numbers kind) {
  static const uint32_t special[] = {0x7F800000u, 0xFF800000u, 0x7FC00000u};
  if (kind == Numbers::normal) {  // 12 uniform numbers added up: no libm, so the same on every machine
    int64_t sum = 0;
    for (int draw = 0; draw < 6; ++draw) {
      const uint32_t u = static_cast<uint32_t>(random());
      sum += (u & 0xFFFF) + (u >> 16);
    }
    return static_cast<float>(sum - 6 * 65535) * 0x1p-16f;
  }
  if (kind == Numbers::hostile && random() % 8 == 0) return float_of(special[random() % 3]);
  if (random() % 8 == 0) return float_of(random() % 2 ? 0x80000000u : 0u);
  const uint32_t u = static_cast<uint32_t>(random());
  return float_of((u & 0x7F800000u) == 0x7F800000u ? u & 0x807FFFFFu
                                                   : u);  // exponent 255 becomes a subnormal
}

std::vector<float> numbers(Random& random, int64_t n, Numbers kind) {
  std::vector<float> out(static_cast<size_t>(n));
  for (float& x : out) x = number(random, kind);
  return out;
}

bool same_bits(float a, float b) { return bits_of(a) == bits_of(b) || (a != a && b != b); }

::testing::AssertionResult SameBits(const float* got, const float* want, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    if (!same_bits(got[i], want[i]))
      return ::testing::AssertionFailure()
             << "value " << i << " of " << n << ": got " << got[i] << " (bits " << bits_of(got[i])
             << "), expected " << want[i] << " (bits " << bits_of(want[i]) << ")";
  return ::testing::AssertionSuccess();
}

std::vector<int> scale_offsets(const Quant& q) {
  const std::string name = q.name;
  if (name == "Q4_0" || name == "Q5_0" || name == "Q8_0" || name == "IQ4_NL" || name == "IQ4_XS") return {0};
  if (name == "Q4_1" || name == "Q5_1" || name == "Q4_K" || name == "Q5_K") return {0, 2};
  if (name == "Q2_K") return {80, 82};
  if (name == "Q3_K") return {108};
  if (name == "Q6_K") return {208};
  if (name == "MXFP4") return {};
  EXPECT_FALSE(q.integer) << name << " is new: say where its f16 scales are";
  return {};
}

void set_scales(const Quant& q, uint8_t* block, int exponent, uint16_t sign_and_fraction) {
  const uint16_t half = static_cast<uint16_t>((sign_and_fraction & 0x83FF) | (exponent + 15) << 10);
  for (int at : scale_offsets(q)) std::memcpy(block + at, &half, 2);
  if (std::string(q.name) == "MXFP4") block[0] = static_cast<uint8_t>(exponent + 128);
}

std::vector<uint8_t> random_blocks(Random& random, const Quant& q, int64_t n, Scales scales) {
  static const uint16_t extreme[] = {0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400,
                                     0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0xFC01};
  static const uint8_t exponents[] = {0, 1, 2, 3, 126, 127, 128, 129, 252, 253, 254, 255};  // of MXFP4
  const uint32_t n_extreme = scales == Scales::hostile ? 12 : 8;
  const std::string name = q.name;
  std::vector<uint8_t> out(static_cast<size_t>(n / q.block * q.block_bytes));
  if (!q.integer) {
    const Numbers kind = scales == Scales::ordinary ? Numbers::normal : Numbers::wide;
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t u = bits_of(number(random, kind));
      uint16_t half = static_cast<uint16_t>(name == "BF16" ? u >> 16 : random());
      if (name == "F16" && scales == Scales::ordinary) half = static_cast<uint16_t>((half & 0x83FF) | 0x3400);
      if (name == "F16" && (half & 0x7C00) == 0x7C00) half = extreme[random() % 8];
      if (name == "F32")
        std::memcpy(&out[4 * i], &u, 4);
      else
        std::memcpy(&out[2 * i], &half, 2);
    }
    return out;
  }
  for (uint8_t& b : out) b = static_cast<uint8_t>(random());
  for (size_t block = 0; block < out.size(); block += q.block_bytes) {
    if (scales == Scales::ordinary) {
      set_scales(q, &out[block], static_cast<int>(random() % 11) - 10, static_cast<uint16_t>(random()));
      continue;
    }
    for (int at : scale_offsets(q)) std::memcpy(&out[block + at], &extreme[random() % n_extreme], 2);
    if (name == "MXFP4") out[block] = exponents[random() % 12];
  }
  return out;
}

Packed pack(const Quant& q, std::vector<std::vector<uint8_t>> rows, int64_t cols) {
  const int64_t tiles = (static_cast<int64_t>(rows.size()) + kLanes - 1) / kLanes, bytes = q.tile_bytes(cols);
  rows.resize(tiles * kLanes, std::vector<uint8_t>(cols / q.block * q.block_bytes));
  Packed out{std::move(rows), Aligned<uint8_t>(tiles * bytes)};
  for (int64_t t = 0; t < tiles; ++t) {
    const uint8_t* source[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) source[lane] = out.rows[t * kLanes + lane].data();
    q.pack(out.tiles.data() + t * bytes, source, cols);
  }
  return out;
}

Packed random_matrix(Random& random, const Quant& q, int64_t n_out, int64_t cols, Scales scales) {
  std::vector<std::vector<uint8_t>> rows;
  for (int64_t r = 0; r < n_out; ++r) rows.push_back(random_blocks(random, q, cols, scales));
  return pack(q, std::move(rows), cols);
}

Codes::Codes(const Table& k, const float* x, int64_t rows, int64_t cols)
    : group_(rows == 1 ? 1 : kernels::kRowGroup),
      blocks_(cols / kQBlock),
      places_((rows + group_ - 1) / group_ * group_ * blocks_),
      codes_(places_ * kQBlock),
      scale_(places_),
      sum_(places_),
      half_sums_(places_ * 2),
      scaled_sum_(places_),
      start_(places_ * 2) {
  const kernels::Int8Rows out = view();
  const int64_t split = rows / 3;  // as threads do it, in shares
  k.quantize(&out, 0, x, split, cols);
  k.quantize(&out, split, x + split * cols, rows - split, cols);
}

std::vector<const Table*> tables() {
  std::vector<const Table*> out;
  for (const std::string& isa : isas()) out.push_back(&kernels_for(isa));
#if defined(__x86_64__)
  const auto has = [&](const char* isa) {
    return std::any_of(out.begin(), out.end(), [&](const Table* k) { return std::string(k->isa) == isa; });
  };
  if (has("avx512") && !has("avxvnni")) out.push_back(kernels::avxvnni_evex_table());
  if (has("avx512") && !has("amx")) out.push_back(kernels::amx_emulated_table());
#endif
  return out;
}

double ulps(float got, double truth) {
  const float nearest = static_cast<float>(truth);
  if (std::isinf(nearest)) return got == nearest ? 0.0 : std::numeric_limits<double>::infinity();
  const float size = std::max(std::fabs(nearest), std::numeric_limits<float>::min());
  const double ulp = static_cast<double>(std::nextafter(size, std::numeric_limits<float>::infinity())) - size;
  return std::fabs(static_cast<double>(got) - truth) / ulp;
}

}  // namespace cutaway::testing
