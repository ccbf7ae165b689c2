// Weight types: what is packed decodes to the file's values bit for bit, the integer parts of int8 mode stay
// exact, and int8 dot products equal a plain integer implementation of docs/determinism.md.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "kernel_data.h"

namespace cutaway::testing {
namespace {

float half(const uint8_t* p) {
  const int bits = p[0] | p[1] << 8, exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double size = exponent ? std::ldexp(1024.0 + fraction, exponent - 25) : std::ldexp(fraction, -24);
  return static_cast<float>(bits & 0x8000 ? -size : size);
}

// One run of 32 weights of a block as the GGUF specification has them: w[i] = d * scale[i / 16] * code[i] -
// m, where m is dmin * min (Q4_K) or -m (Q4_1).
struct Part {
  int code[32];
  int scale[2] = {1, 1}, min = 0;
  float d = 0, m = 0;
};

// Run `s` of the block at p.
Part part_of(const std::string& type, const uint8_t* p, int s) {
  Part out;
  if (type == "Q4_0" || type == "Q4_1" || type == "Q5_0") {
    const uint8_t* nibbles = p + (type == "Q4_0" ? 2 : type == "Q4_1" ? 4 : 6);
    for (int i = 0; i < 32; ++i) {
      out.code[i] = i < 16 ? nibbles[i] % 16 : nibbles[i - 16] / 16;
      if (type == "Q4_0") out.code[i] -= 8;
      if (type == "Q5_0") out.code[i] += 16 * (p[2 + i / 8] >> i % 8 & 1) - 16;
    }
    out.d = half(p);
    if (type == "Q4_1") out.m = half(p + 2);
  } else if (type == "Q8_0") {
    for (int i = 0; i < 32; ++i) out.code[i] = static_cast<int8_t>(p[2 + i]);
    out.d = half(p);
  } else if (type == "Q4_K") {
    for (int i = 0; i < 32; ++i)
      out.code[i] = s % 2 ? p[16 + s / 2 * 32 + i] / 16 : p[16 + s / 2 * 32 + i] % 16;
    const uint8_t* packed = p + 4;
    out.scale[0] = s < 4 ? packed[s] % 64 : packed[s + 4] % 16 + packed[s - 4] / 64 * 16;
    out.min = s < 4 ? packed[s + 4] % 64 : packed[s + 4] / 16 + packed[s] / 64 * 16;
    out.scale[1] = out.scale[0];
    out.d = half(p);
    out.m = half(p + 2);
  } else if (type == "Q6_K") {
    for (int i = 0; i < 32; ++i) {
      const int at = 32 * (s % 4) + i, run = s % 4, side = s / 4;
      const int low = p[64 * side + at % 64], high = p[128 + 32 * side + i] >> 2 * run & 3;
      out.code[i] = (run < 2 ? low % 16 : low / 16) + 16 * high - 32;
    }
    for (int h = 0; h < 2; ++h) out.scale[h] = static_cast<int8_t>(p[192 + 2 * s + h]);
    out.d = half(p + 208);
  } else {
    ADD_FAILURE() << type << " is new: write down its definition";
  }
  return out;
}

// The weights of a file row, from the definition.
std::vector<float> definition(const Quant& q, const std::vector<uint8_t>& row, int64_t cols) {
  std::vector<float> out(cols);
  const std::string type = q.name;
  for (int64_t c = 0; c < cols; ++c) {
    if (type == "F32") std::memcpy(&out[c], &row[4 * c], 4);
    if (type == "F16") out[c] = half(&row[2 * c]);
    if (type == "BF16") out[c] = float_of(static_cast<uint32_t>(row[2 * c] | row[2 * c + 1] << 8) << 16);
    if (!q.integer) continue;
    const Part p = part_of(type, &row[c / q.block * q.block_bytes], static_cast<int>(c % q.block / 32));
    const float scaled = p.d * static_cast<float>(p.scale[c % 32 / 16]) * static_cast<float>(p.code[c % 32]);
    out[c] = type == "Q4_1"   ? scaled + p.m
             : type == "Q4_K" ? scaled - p.m * static_cast<float>(p.min)
                              : scaled;
  }
  return out;
}

TEST(Quants, DecodeAndDecodeTileEqualTheDefinition) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type) {
      const Quant& q = k->quants[type];
      ASSERT_STREQ(q.name, scalar().quants[type].name);
      for (int64_t cols : {q.block == 1 ? 7 : q.block, q.block == 1 ? 111 : 3 * q.block})
        for (Scales scales : {Scales::ordinary, Scales::extreme}) {
          Random random(2);
          const Packed w = random_matrix(random, q, 13, cols, scales);
          Aligned<float> tile(cols * kLanes);
          q.decode_tile(tile.data(), w.tiles.data(), cols);
          for (int lane = 0; lane < kLanes; ++lane) {
            const std::vector<float> want = definition(q, w.rows[lane], cols);
            std::vector<float> decoded(cols), column(cols);
            q.decode(decoded.data(), w.rows[lane].data(), cols);
            for (int64_t c = 0; c < cols; ++c) column[c] = tile[c * kLanes + lane];
            ASSERT_TRUE(SameBits(decoded.data(), want.data(), cols)) << k->isa << " " << q.name << " decode";
            ASSERT_TRUE(SameBits(column.data(), want.data(), cols))
                << k->isa << " " << q.name << " decode_tile";
          }
        }
    }
}

// One layout for every instruction set: a tile packed by one is byte for byte the tile packed by another.
TEST(Quants, TilesAreTheSameBytesInEveryInstructionSet) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type) {
      const Quant &q = k->quants[type], &plain = scalar().quants[type];
      Random random(8);
      const int64_t cols = q.block == 1 ? 37 : 2 * q.block, used = q.tile_bytes(cols);
      ASSERT_EQ(used, plain.tile_bytes(cols));
      ASSERT_EQ(used % 64, 0) << q.name;
      const Packed a = random_matrix(random, q, 16, cols, Scales::ordinary), b = pack(plain, a.rows, cols);
      EXPECT_EQ(0, std::memcmp(a.tiles.data(), b.tiles.data(), used)) << k->isa << " " << q.name;
    }
}

// A block in which every weight of every run is at the end of its range.
std::vector<uint8_t> worst_row(const Quant& q, int64_t cols, bool top) {
  std::vector<uint8_t> row(cols / q.block * q.block_bytes, top ? 0xFF : 0x00);
  const std::string type = q.name;
  for (size_t block = 0; block < row.size(); block += q.block_bytes) {
    uint8_t* p = &row[block];
    if (type == "Q8_0") std::fill(p + 2, p + 34, static_cast<uint8_t>(top ? 0x7F : 0x80));
    if (type == "Q4_K") std::fill(p + 4, p + 16, 0xFF);
    if (type == "Q6_K") std::fill(p + 192, p + 208, static_cast<uint8_t>(top ? 0x7F : 0x80));
    const uint16_t one = 0x3C00;
    for (int at : scale_offsets(q)) std::memcpy(p + at, &one, 2);
  }
  return row;
}

// The int8 arithmetic of the design in plain integers and the same fmas, over K ascending.
float int8_dot(const Quant& q, const std::vector<uint8_t>& row, const Codes& x, int64_t r, int64_t cols,
               int64_t* widest) {
  const std::string type = q.name;
  float acc = 0.0f;
  for (int64_t b = 0; b < cols / 32; ++b) {
    const Part p =
        part_of(type, &row[32 * b / q.block * q.block_bytes], static_cast<int>(32 * b % q.block / 32));
    const float sx = x.scale(r, b);
    int64_t P = 0, sum = 0;
    for (int i = 0; i < 32; ++i) {
      const int64_t a = x.code(r, 32 * b + i);
      P += p.scale[i / 16] * p.code[i] * a, sum += a;
    }
    const int64_t Pm = p.min * sum;
    *widest = std::max({*widest, std::abs(P), std::abs(Pm)});
    acc = std::fmaf(static_cast<float>(P), p.d * sx, acc);
    if (type == "Q4_1") acc = std::fmaf(p.m, sx * static_cast<float>(sum), acc);
    if (type == "Q4_K") acc = std::fmaf(static_cast<float>(Pm), -(p.m * sx), acc);
  }
  return acc;
}

void check_int8(const Table& k, const Quant& q, const Packed& w, const float* x, int64_t rows, int64_t cols,
                int64_t n_out, int64_t* widest) {
  const Codes codes(k, x, rows, cols);
  const kernels::Int8Rows view = codes.view();
  std::vector<float> got(rows * n_out);
  q.linear_int8(got.data(), n_out, &view, w.tiles.data(), rows, cols, n_out);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < n_out; ++o) {
      const float want = int8_dot(q, w.rows[o], codes, r, cols, widest);
      ASSERT_TRUE(same_bits(got[r * n_out + o], want)) << k.isa << " " << q.name << " row " << r << " output "
                                                       << o << ": " << got[r * n_out + o] << " " << want;
    }
}

TEST(Quants, Int8EqualsPlainIntegers) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type) {
      const Quant& q = k->quants[type];
      if (!q.integer) continue;
      for (Scales scales : {Scales::ordinary, Scales::extreme}) {
        Random random(9);
        const int64_t cols = std::max(96, 2 * q.block), n_out = 65;
        const Packed w = random_matrix(random, q, n_out, cols, scales);
        const std::vector<float> x =
            numbers(random, 5 * cols, scales == Scales::ordinary ? Numbers::normal : Numbers::wide);
        int64_t widest = 0;
        for (int64_t rows : {1, 5}) check_int8(*k, q, w, x.data(), rows, cols, n_out, &widest);
      }
    }
}

// At the worst blocks |P| stays below 2^24, where every integer is a float, and no 16-bit step of a kernel
// saturates.
TEST(Quants, IntegerPartsStayExactAtTheWorstBlocks) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type) {
      const Quant& q = k->quants[type];
      if (!q.integer) continue;
      const int64_t cols = 2 * std::max(q.block, 32);
      std::vector<std::vector<uint8_t>> rows;
      for (int r = 0; r < 64; ++r) rows.push_back(worst_row(q, cols, r % 2));
      const Packed w = pack(q, rows, cols);
      int64_t widest = 0;
      for (int sign : {1, -1, 0}) {  // all codes 127, all -127, alternating
        std::vector<float> x(4 * cols);
        for (int64_t i = 0; i < 4 * cols; ++i)
          x[i] = 127.0f * static_cast<float>(sign ? sign : i % 2 ? 1 : -1);
        for (int64_t n : {1, 4}) check_int8(*k, q, w, x.data(), n, cols, 64, &widest);
      }
      EXPECT_LT(widest, 1 << 24) << q.name;
      EXPECT_GT(widest, 32 * 127 * 7) << q.name << ": these are not the worst blocks";
    }
}

}  // namespace
}  // namespace cutaway::testing
