// Every instruction set gives the bits of the scalar one, at sizes where vectors have tails, and a row's bits
// do not depend on how many rows are computed with it.
#include <algorithm>

#include "kernel_data.h"

namespace cutaway::testing {
namespace {

const std::vector<int64_t> kRows = kSanitized ? std::vector<int64_t>{1, 3, 8, 17, 33}
                                              : std::vector<int64_t>{1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33};
constexpr int64_t kMostRows = 33;

// Output columns and K of the linear layers: every tail of a tile at a short K, every K at two of the tails.
struct Size {
  int64_t cols, n_out;
};
std::vector<Size> sizes(const Quant& q) {
  std::vector<Size> out;
  const std::vector<int64_t> every_col = q.block == 1    ? std::vector<int64_t>{1, 7, 31, 32, 33, 111, 257}
                                         : q.block == 32 ? std::vector<int64_t>{32, 64, 96, 256, 512, 768}
                                                         : std::vector<int64_t>{256, 512, 768};
  if (kSanitized) {
    for (int64_t n : {1, 16, 49, 111}) out.push_back({every_col[1], n});
    out.push_back({every_col.back(), 17});
    return out;
  }
  for (int64_t n : {1, 15, 16, 17, 48, 49, 64, 65, 111}) out.push_back({every_col[1], n});
  for (int64_t c : every_col) out.push_back({c, 17}), out.push_back({c, 111});
  return out;
}

// The instruction set's own tables are used throughout: its pack, its quantize, its linear.
void check_linear(const Table& k, int type, bool int8, Scales scales, Numbers kind) {
  const Quant &q = k.quants[type], &plain = scalar().quants[type];
  Random random(11);
  for (const auto [cols, n_out] : sizes(q)) {
    const Packed w = random_matrix(random, q, n_out, cols, scales);
    const Packed w_scalar = pack(plain, w.rows, cols);
    const int64_t ld_x = cols + 3, ld_out = n_out + 5;
    const std::vector<float> x = numbers(random, kMostRows * ld_x, kind);
    std::vector<float> dense;  // [rows, cols], what quantize reads
    for (int64_t r = 0; r < kMostRows; ++r) dense.insert(dense.end(), &x[r * ld_x], &x[r * ld_x] + cols);
    std::vector<float> want(kMostRows * ld_out, -7.0f);
    if (int8) {
      const Codes codes(scalar(), dense.data(), kMostRows, cols);
      const kernels::Int8Rows view = codes.view();
      plain.linear_int8(want.data(), ld_out, &view, w_scalar.tiles.data(), kMostRows, cols, n_out);
    } else {
      plain.linear_f32(want.data(), ld_out, x.data(), ld_x, w_scalar.tiles.data(), kMostRows, cols, n_out);
    }
    for (int64_t rows : kRows) {
      const int64_t first = (kMostRows - rows) / 2;  // not always the same rows
      std::vector<float> got(rows * ld_out, -7.0f);
      if (int8) {
        const Codes codes(k, dense.data() + first * cols, rows, cols);
        const kernels::Int8Rows view = codes.view();
        q.linear_int8(got.data(), ld_out, &view, w.tiles.data(), rows, cols, n_out);
      } else {
        q.linear_f32(got.data(), ld_out, x.data() + first * ld_x, ld_x, w.tiles.data(), rows, cols, n_out);
      }
      // The padding between rows (-7) must be untouched as well.
      ASSERT_TRUE(SameBits(got.data(), want.data() + first * ld_out, rows * ld_out))
          << k.isa << " " << q.name << (int8 ? " int8" : " float32") << " rows " << rows << " cols " << cols
          << " n_out " << n_out;
    }
  }
}

TEST(KernelBits, TableNamesItsInstructionSet) {
  ASSERT_EQ(isas().front(), "scalar");
  for (const std::string& isa : isas()) EXPECT_EQ(kernels_for(isa).isa, isa);
}

TEST(KernelBits, LinearFloat32) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type)
      for (Scales scales : {Scales::ordinary, Scales::extreme})
        if (!kSanitized || scales == Scales::ordinary)
          check_linear(*k, type, false, scales, scales == Scales::ordinary ? Numbers::normal : Numbers::wide);
}

TEST(KernelBits, LinearFloat32WithInfinitiesAndNaN) {
  if (kSanitized) GTEST_SKIP() << "the same memory as without them";
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type)
      check_linear(*k, type, false, Scales::ordinary, Numbers::hostile);
}

TEST(KernelBits, LinearInt8) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type) {
      const Quant& q = k->quants[type];
      ASSERT_EQ(q.integer, q.linear_int8 != nullptr) << q.name;
      if (!q.integer) continue;
      check_linear(*k, type, true, Scales::ordinary, Numbers::normal);
      if (!kSanitized) check_linear(*k, type, true, Scales::extreme, Numbers::wide);
    }
}

TEST(KernelBits, LinearInt8WithInfinitiesAndNaN) {
  if (kSanitized) GTEST_SKIP() << "the same memory as without them";
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type)
      if (k->quants[type].integer) check_linear(*k, type, true, Scales::ordinary, Numbers::hostile);
}

// Kernels over n values: every length up to three vectors and some beyond, in place and not.
template <class Call>
void check_flat(const char* name, Call call) {
  std::vector<int64_t> lengths = {111, 257, 1000};
  for (int64_t n = 0; n <= 49; ++n) lengths.push_back(n);
  for (Numbers kind : kEveryKind)
    for (int64_t n : lengths) {
      Random random(static_cast<uint32_t>(n) + 1);
      const std::vector<float> a = numbers(random, n, kind), b = numbers(random, n, kind);
      std::vector<float> want(n + 1, -7.0f);
      call(scalar(), want.data(), a.data(), b.data(), n);
      for (const Table* k : tables()) {
        std::vector<float> got(n + 1, -7.0f), in_place(a);
        call(*k, got.data(), a.data(), b.data(), n);
        ASSERT_TRUE(SameBits(got.data(), want.data(), n + 1)) << k->isa << " " << name << " n " << n;
        call(*k, in_place.data(), in_place.data(), b.data(), n);
        ASSERT_TRUE(SameBits(in_place.data(), want.data(), n))
            << k->isa << " " << name << " in place, n " << n;
      }
    }
}

TEST(KernelBits, FlatKernels) {
  check_flat("add", [](const Table& k, float* out, const float* a, const float* b, int64_t n) {
    k.add(out, a, b, n);
  });
  check_flat("scale", [](const Table& k, float* out, const float* a, const float*, int64_t n) {
    k.scale(out, a, 0.37f, n);
  });
  check_flat("exp",
             [](const Table& k, float* out, const float* a, const float*, int64_t n) { k.exp(out, a, n); });
  for (float cap : {1.0f, 30.0f, 1e-30f, 1e30f})
    check_flat("soft_cap", [cap](const Table& k, float* out, const float* a, const float*, int64_t n) {
      k.soft_cap(out, a, cap, n);
    });
  check_flat("silu_mul", [](const Table& k, float* out, const float* a, const float* b, int64_t n) {
    k.silu_mul(out, a, b, n);
  });
  check_flat("gelu_tanh_mul", [](const Table& k, float* out, const float* a, const float* b, int64_t n) {
    k.gelu_tanh_mul(out, a, b, n);
  });
}

TEST(KernelBits, RmsNorm) {
  for (Numbers kind : kEveryKind)
    for (int64_t cols : {1, 7, 15, 16, 17, 31, 32, 33, 111, 576, 640}) {
      Random random(static_cast<uint32_t>(cols));
      const std::vector<float> x = numbers(random, kMostRows * cols, kind),
                               weight = numbers(random, cols, kind);
      std::vector<float> want(kMostRows * cols), want_scale(kMostRows);
      scalar().rms_norm(want.data(), want_scale.data(), x.data(), weight.data(), kMostRows, cols, 1e-5f);
      for (const Table* k : tables())
        for (int64_t rows : kRows) {
          const int64_t first = (kMostRows - rows) / 2;
          std::vector<float> got(rows * cols), scale(rows),
              in_place(&x[first * cols], &x[first * cols] + rows * cols);
          k->rms_norm(got.data(), scale.data(), &x[first * cols], weight.data(), rows, cols, 1e-5f);
          ASSERT_TRUE(SameBits(got.data(), &want[first * cols], rows * cols)) << k->isa << " cols " << cols;
          ASSERT_TRUE(SameBits(scale.data(), &want_scale[first], rows)) << k->isa << " cols " << cols;
          k->rms_norm(in_place.data(), nullptr, in_place.data(), weight.data(), rows, cols, 1e-5f);
          ASSERT_TRUE(SameBits(in_place.data(), got.data(), rows * cols))
              << k->isa << " in place, cols " << cols;
        }
    }
}

TEST(KernelBits, Quantize) {
  for (Numbers kind : kEveryKind)
    for (int64_t cols : {32, 64, 96, 512}) {
      Random random(static_cast<uint32_t>(cols));
      const std::vector<float> x = numbers(random, kMostRows * cols, kind);
      const Codes want(scalar(), x.data(), kMostRows, cols);
      for (const Table* k : tables())
        for (int64_t rows : kRows) {
          const int64_t first = kMostRows - rows;
          const Codes got(*k, &x[first * cols], rows, cols);
          for (int64_t r = 0; r < rows; ++r) {
            for (int64_t c = 0; c < cols; ++c) ASSERT_EQ(got.code(r, c), want.code(first + r, c)) << k->isa;
            for (int64_t b = 0; b < cols / 32; ++b) {
              ASSERT_TRUE(same_bits(got.scale(r, b), want.scale(first + r, b))) << k->isa;
              ASSERT_TRUE(same_bits(got.scaled_sum(r, b), want.scaled_sum(first + r, b))) << k->isa;
              ASSERT_EQ(got.sum(r, b), want.sum(first + r, b)) << k->isa;
              for (int h : {0, 1}) ASSERT_EQ(got.half_sum(r, b, h), want.half_sum(first + r, b, h)) << k->isa;
            }
          }
        }
    }
}

TEST(KernelBits, Rope) {
  for (Numbers kind : kEveryKind)
    for (int64_t d_head : {2, 20, 34, 64, 80, 256})
      for (int64_t half : {d_head / 2, d_head / 4, int64_t{1}})
        for (bool halves : {true, false}) {
          Random random(static_cast<uint32_t>(d_head));
          const std::vector<float> x = numbers(random, 3 * d_head, kind), cos = numbers(random, half, kind),
                                   sin = numbers(random, half, kind);
          std::vector<float> want(3 * d_head);
          scalar().rope(want.data(), x.data(), cos.data(), sin.data(), 3, d_head, half, halves);
          for (const Table* k : tables()) {
            std::vector<float> got(3 * d_head), in_place(x);
            k->rope(got.data(), x.data(), cos.data(), sin.data(), 3, d_head, half, halves);
            ASSERT_TRUE(SameBits(got.data(), want.data(), 3 * d_head))
                << k->isa << " d_head " << d_head << " half " << half;
            k->rope(in_place.data(), in_place.data(), cos.data(), sin.data(), 3, d_head, half, halves);
            ASSERT_TRUE(SameBits(in_place.data(), want.data(), 3 * d_head))
                << k->isa << " in place, d_head " << d_head;
          }
        }
}

// f16 KV slots: every float16 value comes back, halfway cases go to even, what does not fit is reported.
// Codes and scales are those of the activations of int8 mode.
TEST(KernelBits, StoreAndLoadKv) {
  Random random(5);
  for (KvType type : kEveryKvType)
    for (int64_t d_head : {1, 15, 16, 20, 33, 80, 32, 64, 96, 544}) {
      if (type == KvType::q8_0 && d_head % kQBlock) continue;
      const int64_t padded = (d_head + 15) / 16 * 16;
      const int64_t element = type == KvType::f32 ? 4 : type == KvType::f16 ? 2 : 1;
      const int64_t tile = kernels::kv_bytes(type, d_head * 16), row = kernels::kv_bytes(type, padded);
      for (Numbers kind : kEveryKind) {
        std::vector<float> x = numbers(random, d_head, kind);
        Aligned<uint8_t> k_want(tile), v_want(row);
        bool fits = true;
        for (const Table* k : tables()) {
          Aligned<uint8_t> k_got(tile), v_got(row);
          bool k_over = false, v_over = false;
          k->store_k(k_got.data(), x.data(), 13, d_head, type, &k_over);
          k->store_v(v_got.data(), x.data(), d_head, type, &v_over);
          ASSERT_EQ(k_over, v_over);
          if (k == &scalar()) {
            std::memcpy(k_want.data(), k_got.data(), k_got.size());
            std::memcpy(v_want.data(), v_got.data(), v_got.size());
            fits = !k_over;
          }
          ASSERT_EQ(!k_over, fits) << k->isa;
          ASSERT_TRUE(fits || type == KvType::f16);
          std::vector<float> a(d_head), b(d_head), wa(d_head), wb(d_head);
          k->load_k(a.data(), k_got.data(), 13, d_head, type);
          k->load_v(b.data(), v_got.data(), d_head, type);
          scalar().load_k(wa.data(), k_want.data(), 13, d_head, type);
          scalar().load_v(wb.data(), v_want.data(), d_head, type);
          ASSERT_TRUE(SameBits(a.data(), wa.data(), d_head)) << k->isa << " " << name_of(type);
          ASSERT_TRUE(SameBits(b.data(), wb.data(), d_head)) << k->isa << " " << name_of(type);
          ASSERT_TRUE(SameBits(a.data(), b.data(), d_head)) << k->isa << " " << name_of(type);
          if (type == KvType::f32) { ASSERT_TRUE(SameBits(a.data(), x.data(), d_head)) << k->isa; }
          if (type == KvType::q8_0) {
            const Codes coded(*k, x.data(), 1, d_head);
            for (int64_t i = 0; i < d_head; ++i)
              ASSERT_TRUE(same_bits(a[i], coded.scale(0, i / kQBlock) * static_cast<float>(coded.code(0, i))))
                  << k->isa;
          }
          for (int64_t i = kernels::kv_bytes(type, d_head); i < row; ++i)
            ASSERT_EQ(v_got[i], 0) << "padding of a V row";
          for (int64_t i = 0; i < d_head * 16 * element; ++i)
            if (i / element % 16 != 13) { ASSERT_EQ(k_got[i], 0x5A) << "a lane that was not written"; }
          for (int64_t i = d_head * 16 * element; i < tile; ++i)
            if (i / 4 % 16 != 13) { ASSERT_EQ(k_got[i], 0x5A) << "the scale of a lane that was not written"; }
        }
      }
    }
}

}  // namespace
}  // namespace cutaway::testing
