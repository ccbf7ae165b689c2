// Float64 exp and log in plain IEEE multiply, add and (log) one divide: no libm, no fma, no table, so the
// same bits on every machine whose doubles are IEEE and round to nearest. Both stay under 1 ulp of the true
// value (tests/cpp/test_sample_math.cpp). No branches, so that loops over a vocabulary vectorise.
// python/cutaway/reference/exact_math.py is the twin, equal to the bit.
#pragma once
#include <bit>
#include <cstdint>
#include <limits>

namespace cutaway {

// ln 2 in two parts: n * kLn2High is exact for |n| < 2^17.
inline constexpr double kLn2High = 0x1.62e42fefap-1, kLn2Low = 0x1.cf79abc9e3b3ap-40;

// e^x. +0 below x = -708 by definition (the true value nears the subnormals there), +inf from 709.78 on, NaN
// for NaN.
inline double exact_exp(double x) {
  // x = n ln 2 + r, |r| <= ln(2) / 2. Adding 1.5 * 2^52 rounds to an integer and leaves n in the low bits.
  constexpr double kLog2E = 0x1.71547652b82fep+0, kRounder = 0x1.8p52;
  const double shifted = x * kLog2E + kRounder, n = shifted - kRounder;
  const double high = x - n * kLn2High, low = n * kLn2Low, r = high - low;
  // Taylor: the first term left out, r^14 / 14!, is below 2^-57.
  double q = 0x1.6124613a86d09p-33;  // 1 / 13!
  q = q * r + 0x1.1eed8eff8d898p-29;
  q = q * r + 0x1.ae64567f544e4p-26;
  q = q * r + 0x1.27e4fb7789f5cp-22;
  q = q * r + 0x1.71de3a556c734p-19;
  q = q * r + 0x1.a01a01a01a01ap-16;
  q = q * r + 0x1.a01a01a01a01ap-13;
  q = q * r + 0x1.6c16c16c16c17p-10;
  q = q * r + 0x1.1111111111111p-7;
  q = q * r + 0x1.5555555555555p-5;
  q = q * r + 0x1.5555555555555p-3;
  q = q * r + 0.5;  // 1 / 2!
  const double y = 1.0 + (high - (low - r * r * q));
  // 2y times 2^(n-1): n may be 1024, and the product is exact unless it overflows.
  const double scale = std::bit_cast<double>((std::bit_cast<uint64_t>(shifted) + 1022) << 52);
  const double value = 2.0 * y * scale;
  const double capped = x > 0x1.62e42fefa39efp+9 ? std::numeric_limits<double>::infinity() : value;
  return x < -708.0 ? 0.0 : capped;
}

// Natural logarithm. -inf for 0, NaN below 0 and for NaN, +inf for +inf.
inline double exact_log(double x) {
  const bool tiny = x < 0x1p-1022;  // a subnormal is scaled up first
  const uint64_t bits = std::bit_cast<uint64_t>(tiny ? x * 0x1p54 : x);
  // x = 2^k m with m in [sqrt(1/2), sqrt(2)): subtracting the bits of sqrt(1/2) makes the exponent field k.
  constexpr uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  const int64_t k = static_cast<int64_t>(bits - kSqrtHalf) >> 52;
  const double m = std::bit_cast<double>(bits - (static_cast<uint64_t>(k) << 52));
  const double e = static_cast<double>(k) - (tiny ? 54.0 : 0.0);
  // log(1 + f) = 2 atanh(s), s = f / (2 + f); with 2s = f - s f it becomes f - f^2/2 + s (f^2/2 + series),
  // where the large term f is exact. The first series term left out is below 2^-60.
  const double f = m - 1.0, s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
  double series = 2.0 / 23;
  series = series * z + 2.0 / 21;
  series = series * z + 2.0 / 19;
  series = series * z + 2.0 / 17;
  series = series * z + 2.0 / 15;
  series = series * z + 2.0 / 13;
  series = series * z + 2.0 / 11;
  series = series * z + 2.0 / 9;
  series = series * z + 2.0 / 7;
  series = series * z + 2.0 / 5;
  series = series * z + 2.0 / 3;
  series = series * z;
  const double value = e * kLn2High - ((half - (s * (half + series) + e * kLn2Low)) - f);
  if (x == 0.0) return -std::numeric_limits<double>::infinity();
  if (!(x > 0.0)) return std::numeric_limits<double>::quiet_NaN();
  return x > std::numeric_limits<double>::max() ? x : value;
}

}  // namespace cutaway
