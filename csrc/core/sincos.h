// sin and cos in float64 from IEEE additions and multiplications alone: the same bits on every machine.
// libm's differ. Error below 1e-15 for |x| < 2^20. Reduction by pi/2 in three parts (Cody and Waite 1980),
// polynomials by Taylor-minimax of degree 13 and 14 on [-pi/4, pi/4].
#pragma once
#include <cstdint>

namespace cutaway {

inline void sincos_exact(double x, double* sine, double* cosine) {
  const double magic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
  const double k = (x * 0.63661977236758134308 + magic) - magic;
  // pi/2 = 1.57079632673412561417 + 6.07710050630396597660e-11 + 2.02226624879595063154e-21: the first two
  // have 33 bits.
  const double r =
      ((x - k * 1.57079632673412561417) - k * 6.07710050630396597660e-11) - k * 2.02226624879595063154e-21;
  const double z = r * r;
  const double s =
      r + r * z *
              (-1.66666666666666324348e-1 +
               z * (8.33333333332248946124e-3 +
                    z * (-1.98412698298579493134e-4 +
                         z * (2.75573137070700676789e-6 +
                              z * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10)))));
  const double c = 1.0 - 0.5 * z +
                   z * z *
                       (4.16666666666666019037e-2 +
                        z * (-1.38888888888741095749e-3 +
                             z * (2.48015872894767294178e-5 +
                                  z * (-2.75573143513906633035e-7 +
                                       z * (2.08757232129817482790e-9 + z * -1.13596475577881948265e-11)))));
  switch (static_cast<int64_t>(k) & 3) {
    case 0:
      *sine = s, *cosine = c;
      break;
    case 1:
      *sine = c, *cosine = -s;
      break;
    case 2:
      *sine = -s, *cosine = -c;
      break;
    default:
      *sine = -c, *cosine = s;
  }
}

}  // namespace cutaway
