// The elementary functions and the row kernels against the truth: float64 libm, and plain code written from
// the definitions. What is found for one instruction set holds for all: test_kernel_bits.cpp compares their
// bits, and the dense sample here does so over every exponent.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>

#include "kernel_data.h"

namespace cutaway::testing {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Every sign and exponent (subnormals, infinities and NaN included) with 256 fractions, and a fine grid near
// zero.
std::vector<float> dense_sample() {
  std::vector<float> out;
  for (uint32_t top = 0; top < 512; ++top)
    for (uint32_t f = 0; f < 256; ++f) out.push_back(float_of(top << 23 | f << 15 | (f * 129 & 0x7FFF)));
  for (int i = -100000; i <= 100000; ++i) out.push_back(static_cast<float>(i) * 1e-3f);
  for (float edge : {-88.0f, -87.3365448f, 88.7228317f, 89.0f, 0.625f, -0.625f})
    for (uint32_t step = 0; step < 65; ++step) out.push_back(float_of(bits_of(edge) + step - 32));
  return out;
}

using Function = void (*)(const Table&, float* out, const float* x, int64_t n);

void exp_of(const Table& k, float* out, const float* x, int64_t n) { k.exp(out, x, n); }
void tanh_of(const Table& k, float* out, const float* x, int64_t n) { k.soft_cap(out, x, 1.0f, n); }
void silu_of(const Table& k, float* out, const float* x, int64_t n) {
  k.silu_mul(out, x, std::vector<float>(n, 1.0f).data(), n);
}
void gelu_of(const Table& k, float* out, const float* x, int64_t n) {
  k.gelu_tanh_mul(out, x, std::vector<float>(n, 1.0f).data(), n);
}

double silu(double x) { return x / (1.0 + std::exp(-x)); }
double gelu_tanh(double x) {  // 0.5 x (1 + tanh u) = x / (1 + e^-2u), which keeps its digits for negative x
  return x / (1.0 + std::exp(-2.0 * std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
}

TEST(KernelMath, EveryInstructionSetOnTheDenseSample) {
  const std::vector<float> x = dense_sample();
  const int64_t n = static_cast<int64_t>(x.size());
  for (Function f : {exp_of, tanh_of, silu_of, gelu_of}) {
    std::vector<float> want(n), got(n);
    f(scalar(), want.data(), x.data(), n);
    for (const Table* k : tables()) {
      f(*k, got.data(), x.data(), n);
      EXPECT_TRUE(SameBits(got.data(), want.data(), n)) << k->isa;
    }
  }
}

// The largest error in units of the last place for x in [low, high], measured where the true value is normal.
double worst(Function f, double (*truth)(double), float low, float high) {
  std::vector<float> x;
  for (float v : dense_sample())
    if (v >= low && v <= high) x.push_back(v);
  std::vector<float> y(x.size());
  f(kernels_for(isas().back()), y.data(), x.data(), static_cast<int64_t>(x.size()));
  double out = 0.0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double t = truth(x[i]);
    if (std::fabs(t) >= FLT_MIN && std::fabs(t) <= FLT_MAX) out = std::max(out, ulps(y[i], t));
  }
  return out;
}

TEST(KernelMath, Accuracy) {
  EXPECT_LT(worst(exp_of, [](double x) { return std::exp(x); }, -88.0f, 89.0f), 1.0);
  EXPECT_LT(worst(tanh_of, [](double x) { return std::tanh(x); }, -100.0f, 100.0f), 1.25);
  EXPECT_LT(worst(silu_of, silu, -10.0f, FLT_MAX), 2.0);
  EXPECT_LT(worst(gelu_of, gelu_tanh, -1.0f, FLT_MAX), 2.25);
  EXPECT_LT(worst(gelu_of, gelu_tanh, -5.0f, -1.0f), 30.0);  // the rounding of u, times |u|
}

TEST(KernelMath, ExpAtItsEdges) {
  const Table& k = scalar();
  const auto one = [&](float x) {
    float y;
    k.exp(&y, &x, 1);
    return y;
  };
  EXPECT_EQ(bits_of(one(0.0f)), bits_of(1.0f));
  EXPECT_EQ(bits_of(one(-0.0f)), bits_of(1.0f));
  EXPECT_EQ(bits_of(one(-kInf)), 0u);
  EXPECT_EQ(one(kInf), kInf);
  EXPECT_TRUE(std::isnan(one(std::numeric_limits<float>::quiet_NaN())));
  // +0 below FLT_MIN by definition: on both sides of ln FLT_MIN, never a subnormal; likewise infinity beyond
  // FLT_MAX.
  for (uint32_t u = bits_of(-87.3365f); u <= bits_of(-87.3366f); ++u) {
    const float x = float_of(u), y = one(x);
    if (std::exp(static_cast<double>(x)) < FLT_MIN)
      EXPECT_EQ(bits_of(y), 0u) << x;
    else
      EXPECT_GE(y, FLT_MIN) << x;
  }
  for (uint32_t u = bits_of(88.7228f); u <= bits_of(88.7229f); ++u) {
    const float x = float_of(u);
    EXPECT_EQ(std::isinf(one(x)), std::exp(static_cast<double>(x)) > FLT_MAX) << x;
  }
}

// silu and gelu are silent where they should be, and never leave the range of what is possible.
TEST(KernelMath, ActivationsFarOut) {
  for (Function f : {silu_of, gelu_of}) {
    const float x[] = {-1e38f, -1e4f, -200.0f, 0.0f, 200.0f, 1e38f, kInf};
    float y[7];
    f(scalar(), y, x, 7);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(y[i], 0.0f) << x[i];
    for (int i = 4; i < 7; ++i) EXPECT_EQ(y[i], x[i]);
  }
}

TEST(KernelMath, RmsNormAgainstFloat64) {
  for (int64_t cols : {1, 7, 16, 33, 111, 576}) {
    Random random(3);
    const std::vector<float> x = numbers(random, 2 * cols, Numbers::normal),
                             w = numbers(random, cols, Numbers::normal);
    std::vector<float> out(2 * cols), scale(2);
    scalar().rms_norm(out.data(), scale.data(), x.data(), w.data(), 2, cols, 1e-5f);
    for (int64_t r = 0; r < 2; ++r) {
      double sum = 0.0;
      for (int64_t c = 0; c < cols; ++c) sum += static_cast<double>(x[r * cols + c]) * x[r * cols + c];
      const double s = std::sqrt(sum / static_cast<double>(cols) + 1e-5);
      EXPECT_LT(ulps(scale[r], s), 4.0);
      for (int64_t c = 0; c < cols; ++c)
        EXPECT_NEAR(out[r * cols + c], x[r * cols + c] / s * w[c],
                    1e-6 * std::fabs(x[r * cols + c] / s * w[c]))
            << cols;
    }
  }
}

TEST(KernelMath, RopeAgainstFloat64) {
  for (int64_t d_head : {20, 64, 80})
    for (int64_t half : {d_head / 2, d_head / 4})
      for (bool halves : {true, false}) {
        Random random(4);
        const std::vector<float> x = numbers(random, 2 * d_head, Numbers::normal);
        std::vector<float> cos(half), sin(half), out(2 * d_head);
        for (int64_t i = 0; i < half; ++i) cos[i] = std::cos(0.3f * i), sin[i] = std::sin(0.3f * i);
        scalar().rope(out.data(), x.data(), cos.data(), sin.data(), 2, d_head, half, halves);
        for (int64_t h = 0; h < 2; ++h) {
          const float *in = &x[h * d_head], *y = &out[h * d_head];
          for (int64_t i = 0; i < half; ++i) {
            const int64_t a = halves ? i : 2 * i, b = halves ? half + i : 2 * i + 1;
            const double c = cos[i], s = sin[i];
            EXPECT_NEAR(y[a], in[a] * c - in[b] * s, 1e-6);
            EXPECT_NEAR(y[b], in[b] * c + in[a] * s, 1e-6);
          }
          for (int64_t i = 2 * half; i < d_head; ++i)
            EXPECT_EQ(bits_of(y[i]), bits_of(in[i])) << "not rotated";
        }
      }
}

// The definition of the int8 form, block by block, with the rounding of the language instead of the magic
// number.
void check_quantized(const float* x, const Codes& q, int64_t row, int64_t block) {
  float amax = 0.0f;
  bool finite = true;
  for (int i = 0; i < 32; ++i) {
    finite = finite && std::isfinite(x[i]);
    amax = std::max(amax, std::fabs(x[i]));
  }
  const float factor = 127.0f / amax;
  const bool zero = finite && std::isinf(factor);
  int sums[2] = {0, 0};
  for (int i = 0; i < 32; ++i) {
    const int want = zero || !finite ? 0 : static_cast<int>(std::nearbyint(x[i] * factor));
    ASSERT_EQ(q.code(row, 32 * block + i), want) << "value " << i << " " << x[i];
    ASSERT_LE(std::abs(want), 127);
    sums[i / 16] += want;
  }
  if (finite)
    ASSERT_EQ(bits_of(q.scale(row, block)), bits_of(zero ? 0.0f : amax / 127.0f));
  else
    ASSERT_FALSE(std::isfinite(q.scale(row, block)));
  ASSERT_EQ(q.half_sum(row, block, 0), sums[0]);
  ASSERT_EQ(q.half_sum(row, block, 1), sums[1]);
  ASSERT_EQ(q.sum(row, block), sums[0] + sums[1]);
  ASSERT_TRUE(same_bits(q.scaled_sum(row, block), q.scale(row, block) * q.sum(row, block)));
}

TEST(KernelMath, QuantizeAgainstItsDefinition) {
  Random random(6);
  for (const Table* k : tables())
    for (Numbers kind : kEveryKind) {
      const std::vector<float> x = numbers(random, 64 * 96, kind);
      const Codes q(*k, x.data(), 64, 96);
      for (int64_t b = 0; b < 64 * 3; ++b) check_quantized(&x[32 * b], q, b / 3, b % 3);
    }
}

TEST(KernelMath, QuantizeAtTheEdges) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  // Largest values of a block: zero, subnormal, around the smallest whose 127 / amax is finite, the largest
  // float.
  for (float top : {0.0f, -0.0f, 1e-45f, FLT_MIN, 3.73e-37f, 3.74e-37f, 1e-30f, 127.0f, FLT_MAX, -FLT_MAX,
                    kInf, -kInf, nan})
    for (int at : {0, 15, 16, 31})
      for (const Table* k : tables()) {
        std::vector<float> x(32);
        for (int i = 0; i < 32; ++i)
          x[i] = std::isfinite(top) ? top * static_cast<float>(i - 16) / 17.0f : 1.0f;
        x[at] = top;
        const Codes q(*k, x.data(), 1, 32);
        check_quantized(x.data(), q, 0, 0);
      }
  // Halves go to even: amax 127 makes the factor 1.
  std::vector<float> x(32, 0.0f);
  const float halves[] = {127.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 126.5f};
  const int want[] = {127, 0, 2, 2, 0, -2, -2, 126};
  std::copy(halves, halves + 8, x.begin());
  const Codes q(scalar(), x.data(), 1, 32);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(q.code(0, i), want[i]) << halves[i];
}

// All float16 bit patterns come back from a V row; conversion of every neighbourhood of a float16 is nearest
// even.
TEST(KernelMath, HalfConversionsAreExact) {
  for (const Table* k : tables())
    for (uint32_t base = 0; base < 65536; base += 16) {
      uint16_t row[16], back[16];
      float wide[16];
      for (uint32_t i = 0; i < 16; ++i) row[i] = static_cast<uint16_t>(base + i);
      k->load_v(wide, row, 16, KvType::f16);
      for (uint32_t i = 0; i < 16; ++i) {
        const uint32_t exponent = row[i] >> 10 & 31, fraction = row[i] & 1023;
        const double sign = row[i] & 0x8000 ? -1.0 : 1.0;
        if (exponent == 31)
          ASSERT_TRUE(fraction ? std::isnan(wide[i]) : wide[i] == sign * kInf);
        else
          ASSERT_EQ(bits_of(wide[i]),
                    bits_of(static_cast<float>(
                        sign * (exponent ? std::ldexp(1024.0 + fraction, static_cast<int>(exponent) - 25)
                                         : std::ldexp(fraction, -24)))));
      }
      bool overflow = false;
      k->store_v(back, wide, 16, KvType::f16, &overflow);
      ASSERT_FALSE(overflow);
      for (int i = 0; i < 16; ++i)
        if (!std::isnan(wide[i])) { ASSERT_EQ(back[i], row[i]) << k->isa; }
      // Halfway to the next float16, and one float on either side of halfway.
      for (uint32_t i = 0; i < 16; ++i) {
        const uint16_t h = static_cast<uint16_t>(base + i), next = static_cast<uint16_t>(h + 1);
        if ((h & 0x7C00) == 0x7C00 || (next & 0x7C00) == 0x7C00) continue;
        const uint16_t pair[16] = {h, next};
        float ends[16];
        k->load_v(ends, pair, 16, KvType::f16);
        const float middle = static_cast<float>((static_cast<double>(ends[0]) + ends[1]) / 2);
        const float x[16] = {middle, std::nextafter(middle, ends[0]), std::nextafter(middle, ends[1])};
        k->store_v(back, x, 3, KvType::f16, &overflow);
        ASSERT_EQ(back[0], h % 2 ? next : h) << k->isa << " " << middle;
        ASSERT_EQ(back[1], h) << k->isa;
        ASSERT_EQ(back[2], next) << k->isa;
      }
    }
}

TEST(KernelMath, HalfOverflowIsReported) {
  for (const Table* k : tables())
    for (float x :
         {65519.996f, 65520.0f, -65520.0f, FLT_MAX, kInf, std::numeric_limits<float>::quiet_NaN()}) {
      uint16_t row[16];
      bool overflow = false;
      k->store_v(row, &x, 1, KvType::f16, &overflow);
      EXPECT_EQ(overflow, std::isfinite(x) && std::fabs(x) >= 65520.0f) << k->isa << " " << x;
      if (x == 65519.996f) { EXPECT_EQ(row[0], 0x7BFF); }
    }
}

}  // namespace
}  // namespace cutaway::testing
