// AMX: how it is detected and asked for, and that its kernels use the tiles and leave none behind. Their bits
// are compared in test_kernel_bits.cpp.
#include "core/amx.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "core/error.h"
#include "kernel_data.h"
#include "tile_unit.h"
#if defined(__x86_64__) && defined(__linux__)
#include "tile_trap.h"
namespace cutaway::kernels {
const Table* amx_emulated_table();  // amx_emulated.cpp
}
#endif

namespace cutaway::testing {
namespace {

// What a Sapphire Rapids under Linux 5.16 answers, and one answer changed at a time.
struct Answers {
  uint32_t leaf1_c = 1u << 27, leaf7_d = 1u << 24 | 1u << 25;
  uint32_t palette_b = 8u << 16 | 64, palette_c = 16;
  uint64_t xcr0 = 0x602E7, supported = 1u << 18;
  int supported_error = 0, request_error = 0;
};
AmxMachine machine(const Answers& a) {
  return {[a](uint32_t leaf, uint32_t subleaf) -> std::array<uint32_t, 4> {
            if (leaf == 1 && subleaf == 0) return {0, 0, a.leaf1_c, 0};
            if (leaf == 7 && subleaf == 0) return {0, 0, 0, a.leaf7_d};
            if (leaf == 0x1D && subleaf == 1) return {0, a.palette_b, a.palette_c, 0};
            return {};
          },
          [a] {
            EXPECT_NE(a.leaf1_c, 0u) << "XGETBV is an illegal instruction without OSXSAVE";
            return a.xcr0;
          },
          [a](int code, uint64_t argument) {
            if (code == 0x1021) {
              if (a.supported_error == 0) *reinterpret_cast<uint64_t*>(argument) = a.supported;
              return a.supported_error;
            }
            EXPECT_EQ(code, 0x1023);
            EXPECT_EQ(argument, 18u) << "the feature is XTILEDATA";
            return a.request_error;
          }};
}

TEST(Amx, IsOfferedWhereAllAgree) {
  EXPECT_TRUE(amx_offered(machine({})));
  const Answers lacking[] = {{.leaf1_c = 0},
                             {.leaf7_d = 1u << 24},
                             {.leaf7_d = 1u << 25},
                             {.leaf7_d = 1u << 22},  // AMX-BF16 alone
                             {.palette_b = 4u << 16 | 64},
                             {.palette_b = 8u << 16 | 32},
                             {.palette_c = 8},
                             {.xcr0 = 0x202E7},
                             {.xcr0 = 0x402E7},
                             {.xcr0 = 0xE7},
                             {.supported = 0},
                             {.supported_error = EINVAL}};
  for (const Answers& a : lacking) EXPECT_FALSE(amx_offered(machine(a))) << &a - lacking;
}

TEST(Amx, RefusalSaysWhy) {
  EXPECT_EQ(amx_refusal(machine({})), "");
  EXPECT_EQ(amx_refusal(machine({.request_error = ENOSPC})),
            "a signal stack of this process (sigaltstack) is too small to hold tile registers");
  EXPECT_EQ(amx_refusal(machine({.request_error = EPERM})),
            "Linux refuses tile registers: Operation not permitted");
}

TEST(Amx, IsAnOption) {
  EXPECT_NE(isas().back(), "amx");
  const std::vector<std::string> offered = isas();
  if (std::find(offered.begin(), offered.end(), "amx") != offered.end()) {
    EXPECT_EQ(kernels_for("amx").isa, std::string("amx"));
    return;
  }
  EXPECT_FALSE(amx_offered(this_amx_machine()) && offered.back() == "avx512");
  try {
    kernels_for("amx");
    FAIL() << "an instruction set that the machine lacks was accepted";
  } catch (const ArgumentError& e) {
    EXPECT_EQ(std::string(e.what()).rfind("isa: this machine has no 'amx'; it offers scalar", 0), 0u)
        << e.what();
  }
}

#if defined(__x86_64__) && defined(__linux__)
bool has(const char* isa) {
  const std::vector<std::string> offered = isas();
  return std::find(offered.begin(), offered.end(), isa) != offered.end();
}

// A linear layer of random numbers by two tables: the same bits.
void expect_same_bits(const Table& k, int type, int64_t rows, int64_t cols, int64_t n_out) {
  const Quant& q = k.quants[type];
  Random random(3);
  const Packed w = random_matrix(random, q, n_out, cols, Scales::ordinary);
  const std::vector<float> x = numbers(random, rows * cols, Numbers::normal);
  const Codes codes(scalar(), x.data(), rows, cols);
  const kernels::Int8Rows view = codes.view();
  std::vector<float> got(rows * n_out), want(rows * n_out);
  q.linear_int8(got.data(), n_out, &view, w.tiles.data(), rows, cols, n_out);
  scalar().quants[type].linear_int8(want.data(), n_out, &view, w.tiles.data(), rows, cols, n_out);
  ASSERT_TRUE(SameBits(got.data(), want.data(), rows * n_out))
      << q.name << " rows " << rows << " cols " << cols << " n_out " << n_out;
}

// What the tile unit should have multiplied: groups of 8 rows, from 16 rows on.
int64_t by_tiles(int64_t rows, int64_t cols, int64_t n_out) {
  return rows < 16 ? 0 : rows / 8 * 8 * cols * ((n_out + 15) / 16 * 16);
}

TEST(Amx, ManyRowsGoThroughTiles) {
  if (!has("avx512")) GTEST_SKIP() << "no AVX-512, which computes all but the products";
  const Table& k = *kernels::amx_emulated_table();
  for (int type = 0; type < k.n_quants; ++type) {
    if (!k.quants[type].integer) continue;
    for (int64_t rows : {1, 2, 15, 16, 17, 31, 64})
      for (int64_t n_out : {16, 81}) {
        const int64_t before = tiles::products();
        expect_same_bits(k, type, rows, 768, n_out);
        EXPECT_EQ(tiles::products() - before, by_tiles(rows, 768, n_out)) << k.quants[type].name;
        EXPECT_FALSE(tiles::configured()) << "tiles must be released";
      }
  }
}

TEST(Amx, PeakIsAsManyProductsAsItSays) {
  if (!has("avx512")) GTEST_SKIP() << "no AVX-512, which computes all but the products";
  const Table& k = *kernels::amx_emulated_table();
  alignas(64) int32_t lanes[kLanes] = {};
  const int64_t before = tiles::products();
  k.peak_int8(lanes, 3);
  EXPECT_EQ(tiles::products() - before, 3 * k.int8_block);
  EXPECT_FALSE(tiles::configured());
  int32_t sum = 0;  // row 15 of the activations, column 0 of the weights
  for (int i = 0; i < 64; ++i) sum += (3 * 15 + i) % 64 * ((3 * (i / 4) + i % 4) % 64);
  EXPECT_EQ(lanes[0], 3 * sum);
}

// The object that a machine with AMX would run, with its instructions as the compiler wrote them.
TEST(Amx, InstructionsOfTheObject) {
  if (!has("avx512")) GTEST_SKIP() << "no AVX-512, which computes all but the products";
  const bool real = has("amx");
  const Table& k = real ? kernels_for("amx") : *kernels::amx_table();
  EXPECT_EQ(k.isa, std::string("amx"));
  std::optional<TileTrap> trap;
  if (!real) trap.emplace();
  for (int type = 0; type < k.n_quants; ++type) {
    if (!k.quants[type].integer) continue;
    const bool blocks_of_32 = k.quants[type].block == 32;
    for (int64_t rows : {16, 33})
      for (int64_t cols : blocks_of_32 ? std::vector<int64_t>{32, 96, 288} : std::vector<int64_t>{256, 512}) {
        const int64_t before = tiles::products();
        expect_same_bits(k, type, rows, cols, 81);
        if (!real) { EXPECT_EQ(tiles::products() - before, by_tiles(rows, cols, 81)) << k.quants[type].name; }
        EXPECT_FALSE(tiles::configured());
      }
  }
  alignas(64) int32_t got[kLanes] = {}, want[kLanes] = {};
  k.peak_int8(got, 2);
  kernels::amx_emulated_table()->peak_int8(want, 2);
  for (int i = 0; i < kLanes; ++i) EXPECT_EQ(got[i], want[i]);
}

// The emulated unit is strict, or it would prove little.
TEST(Amx, EmulatedUnitRefusesWhatAProcessorRefuses) {
  alignas(64) uint8_t config[64] = {};
  const auto set = [&](int tile, int rows, int bytes) {
    config[16 + 2 * tile] = static_cast<uint8_t>(bytes);
    config[48 + tile] = static_cast<uint8_t>(rows);
  };
  EXPECT_THROW(tiles::zero(0), std::logic_error) << "before LDTILECFG";
  EXPECT_THROW(tiles::load_config(config), std::logic_error) << "palette 0";
  config[0] = 1;
  set(0, 2, 8), set(1, 2, 8), set(2, 2, 8), set(3, 3, 8);
  for (int reserved : {1, 2, 15, 32, 47, 56, 63}) {
    config[reserved] = 1;
    EXPECT_THROW(tiles::load_config(config), std::logic_error) << "byte " << reserved;
    config[reserved] = 0;
  }
  set(4, 17, 64);
  EXPECT_THROW(tiles::load_config(config), std::logic_error) << "17 rows";
  set(4, 0, 0);
  tiles::load_config(config);
  EXPECT_THROW(tiles::zero(4), std::logic_error) << "not configured";
  EXPECT_THROW(tiles::multiply(0, 1, 1, true, false), std::logic_error) << "a tile twice";
  EXPECT_THROW(tiles::multiply(3, 1, 2, true, false), std::logic_error) << "3 rows from 2";
  EXPECT_THROW(tiles::multiply(0, 1, 3, true, false), std::logic_error) << "8 bytes by 3 rows";
  // [2, 8] signed times [2, 2, 4] unsigned bytes, by hand.
  const uint8_t a[2][8] = {{255, 2, 0, 0, 0, 0, 0, 1}, {128, 0, 0, 0, 127, 0, 0, 0}};
  const uint8_t b[2][8] = {{255, 1, 0, 0, 3, 4, 0, 0}, {200, 0, 0, 7, 1, 0, 0, 255}};
  const int32_t want[2][2] = {{-255 + 2 + 7, -3 + 8 + 255}, {-128 * 255 + 127 * 200, -128 * 3 + 127}};
  int32_t got[2][2];
  tiles::load(1, a, 8);
  tiles::load(2, b, 8);
  tiles::zero(0);
  tiles::multiply(0, 1, 2, true, false);
  tiles::store(0, got, 8);
  tiles::release();
  for (int m = 0; m < 2; ++m)
    for (int n = 0; n < 2; ++n) EXPECT_EQ(got[m][n], want[m][n]);
  EXPECT_THROW(tiles::zero(0), std::logic_error) << "after TILERELEASE";
}
#endif

}  // namespace
}  // namespace cutaway::testing
