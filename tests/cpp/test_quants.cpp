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
  if (exponent == 31) return fraction ? NAN : bits & 0x8000 ? -INFINITY : INFINITY;
  const double size = exponent ? std::ldexp(1024.0 + fraction, exponent - 25) : std::ldexp(fraction, -24);
  return static_cast<float>(bits & 0x8000 ? -size : size);
}

// One run of 32 weights of a block as the GGUF specification has them:
//   w[i] = d * scale[i / 16] * code[i] - m * min[i / 16], or d * code[i] + m where the minimum is not scaled.
struct Part {
  int code[32];
  int scale[2] = {1, 1}, min[2] = {0, 0};
  float d = 0, m = 0;
  bool has_m = false, plain_m = false;
  bool halves = false;  // a scale and a minimum for each 16
};

const int kIq4Values[] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
const double kE2m1[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};  // OCP Microscaling Formats 1.0, table 5

// Blocks of 32: d, perhaps m, perhaps 32 fifth bits, then nibbles, first the low ones; or a byte a weight.
Part part_of_32(const std::string& type, const uint8_t* p) {
  Part out;
  if (type == "Q8_0") {
    for (int i = 0; i < 32; ++i) out.code[i] = static_cast<int8_t>(p[2 + i]);
    out.d = half(p);
    return out;
  }
  const bool five = type == "Q5_0" || type == "Q5_1";
  out.plain_m = out.has_m = type == "Q4_1" || type == "Q5_1";
  const uint8_t* fifth = p + (out.has_m ? 4 : 2);
  const uint8_t* nibbles = type == "MXFP4" ? p + 1 : fifth + (five ? 4 : 0);
  for (int i = 0; i < 32; ++i) {
    int q = i < 16 ? nibbles[i] % 16 : nibbles[i - 16] / 16;
    if (five) q += 16 * (fifth[i / 8] >> i % 8 & 1);
    if (type == "Q4_0") q -= 8;
    if (type == "Q5_0") q -= 16;
    if (type == "IQ4_NL") q = kIq4Values[q];
    if (type == "MXFP4") q = static_cast<int>(2 * (q < 8 ? kE2m1[q] : -kE2m1[q - 8]));
    out.code[i] = q;
  }
  out.d = type == "MXFP4" ? std::ldexp(1.0f, p[0] - 128) : half(p);
  if (out.has_m) out.m = half(p + 2);
  return out;
}

// Run `s` of a block of 256.
Part part_of_256(const std::string& type, const uint8_t* p, int s) {
  Part out;
  const int run = s % 4, side = s / 4;
  out.halves = type == "Q2_K" || type == "Q3_K" || type == "Q6_K";
  if (type == "Q4_K" || type == "Q5_K") {
    const uint8_t *packed = p + 4, *low = p + (type == "Q4_K" ? 16 : 48) + s / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      out.code[i] = s % 2 ? low[i] / 16 : low[i] % 16;
      if (type == "Q5_K") out.code[i] += 16 * (p[16 + i] >> s & 1);
    }
    out.scale[0] = out.scale[1] = s < 4 ? packed[s] % 64 : packed[s + 4] % 16 + packed[s - 4] / 64 * 16;
    out.min[0] = out.min[1] = s < 4 ? packed[s + 4] % 64 : packed[s + 4] / 16 + packed[s] / 64 * 16;
    out.has_m = true;
    out.d = half(p);
    out.m = half(p + 2);
  } else if (type == "Q2_K") {
    for (int i = 0; i < 32; ++i) out.code[i] = p[16 + 32 * side + i] >> 2 * run & 3;
    for (int h = 0; h < 2; ++h) out.scale[h] = p[2 * s + h] % 16, out.min[h] = p[2 * s + h] / 16;
    out.has_m = true;
    out.d = half(p + 80);
    out.m = half(p + 82);
  } else if (type == "Q3_K") {
    for (int i = 0; i < 32; ++i)
      out.code[i] = (p[32 + 32 * side + i] >> 2 * run & 3) - (p[i] >> s & 1 ? 0 : 4);
    for (int h = 0; h < 2;
         ++h) {  // 16 scales: low nibbles of 8 bytes, their high nibbles; 2 bits each of 4 bytes
      const int j = 2 * s + h, low = j < 8 ? p[96 + j] % 16 : p[96 + j - 8] / 16;
      out.scale[h] = low + 16 * (p[104 + j % 4] >> 2 * (j / 4) & 3) - 32;
    }
    out.d = half(p + 108);
  } else if (type == "Q6_K") {
    for (int i = 0; i < 32; ++i) {
      const int low = p[64 * side + (32 * run + i) % 64], high = p[128 + 32 * side + i] >> 2 * run & 3;
      out.code[i] = (run < 2 ? low % 16 : low / 16) + 16 * high - 32;
    }
    for (int h = 0; h < 2; ++h) out.scale[h] = static_cast<int8_t>(p[192 + 2 * s + h]);
    out.d = half(p + 208);
  } else if (type == "IQ4_XS") {
    for (int i = 0; i < 32; ++i)
      out.code[i] = kIq4Values[i < 16 ? p[8 + 16 * s + i] % 16 : p[8 + 16 * s + i - 16] / 16];
    const int low = s % 2 ? p[4 + s / 2] / 16 : p[4 + s / 2] % 16;
    out.scale[0] = out.scale[1] = low + 16 * (p[2 + s / 4] >> 2 * (s % 4) & 3) - 32;
    out.d = half(p);
  } else {
    ADD_FAILURE() << type << " is new: write down its definition";
  }
  return out;
}

Part part_of(const Quant& q, const uint8_t* p, int s) {
  return q.block == 32 ? part_of_32(q.name, p) : part_of_256(q.name, p, s);
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
    const Part p = part_of(q, &row[c / q.block * q.block_bytes], static_cast<int>(c % q.block / 32));
    const int64_t h = c % 32 / 16;
    out[c] = p.d * static_cast<float>(p.scale[h]) * static_cast<float>(p.code[c % 32]);
    if (p.has_m) out[c] = p.plain_m ? out[c] + p.m : out[c] - p.m * static_cast<float>(p.min[h]);
  }
  return out;
}

TEST(Quants, DecodeAndDecodeTileEqualTheDefinition) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type) {
      const Quant& q = k->quants[type];
      ASSERT_STREQ(q.name, scalar().quants[type].name);
      for (int64_t cols : {q.block == 1 ? 7 : q.block, q.block == 1 ? 111 : 3 * q.block})
        for (Scales scales : {Scales::ordinary, Scales::extreme, Scales::hostile}) {
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
    if (type == "Q4_K" || type == "Q5_K") std::fill(p + 4, p + 16, 0xFF);
    if (type == "Q6_K") std::fill(p + 192, p + 208, static_cast<uint8_t>(top ? 0x7F : 0x80));
    set_scales(q, p, 0);
  }
  return row;
}

// The int8 arithmetic of the design in plain integers and the same fmas, over K ascending.
float int8_dot(const Quant& q, const std::vector<uint8_t>& row, const Codes& x, int64_t r, int64_t cols,
               int64_t* widest) {
  float acc = 0.0f;
  for (int64_t b = 0; b < cols / 32; ++b) {
    const Part p =
        part_of(q, &row[32 * b / q.block * q.block_bytes], static_cast<int>(32 * b % q.block / 32));
    const float sx = x.scale(r, b);
    int64_t P = 0, Pm = 0, sum = 0;
    for (int i = 0; i < 32; ++i) {
      const int64_t a = x.code(r, 32 * b + i);
      P += (p.halves ? p.scale[i / 16] : 1) * p.code[i] * a;
      Pm += p.min[i / 16] * a;
      sum += a;
    }
    *widest = std::max({*widest, std::abs(P), std::abs(Pm)});
    const float d = p.halves ? p.d : p.d * static_cast<float>(p.scale[0]);
    acc = std::fmaf(static_cast<float>(P), d * sx, acc);
    if (!p.has_m) continue;
    if (p.halves)
      acc = std::fmaf(static_cast<float>(Pm), -(p.m * sx), acc);
    else
      acc = std::fmaf(p.plain_m ? p.m : -(p.m * static_cast<float>(p.min[0])), sx * static_cast<float>(sum),
                      acc);
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
      for (Scales scales : {Scales::ordinary, Scales::extreme, Scales::hostile}) {
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
