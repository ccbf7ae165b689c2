// Linear layers against Eigen: float64 as the truth, float32 as a second opinion on what rounding may cost.
#include <algorithm>
#include <Eigen/Core>

#include "kernel_data.h"

namespace cutaway::testing {
namespace {

using Float = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Double = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Float random_rows(Random& random, int64_t rows, int64_t cols) {
  const std::vector<float> x = numbers(random, rows * cols, Numbers::normal);
  return Eigen::Map<const Float>(x.data(), rows, cols);
}

Float decoded(const Quant& q, const Packed& w, int64_t n_out, int64_t cols) {
  Float out(n_out, cols);
  for (int64_t r = 0; r < n_out; ++r) q.decode(out.row(r).data(), w.rows[r].data(), cols);
  return out;
}

// K fmas in a row err by at most K eps |w| |x| (Higham 2002, section 3.1), eps = 2^-24.
Double bound(const Float& x, const Float& W) {
  return x.cast<double>().cwiseAbs() * W.cast<double>().cwiseAbs().transpose() *
         (static_cast<double>(W.cols()) * 0x1p-24);
}

TEST(EigenOracle, LinearFloat32OfEveryTypeAndInstructionSet) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type) {
      const Quant& q = k->quants[type];
      const int64_t cols = q.block == 1 ? 333 : 3 * std::max(q.block, 64), n_out = 111;
      Random random(21);
      const Packed w = random_matrix(random, q, n_out, cols, Scales::ordinary);
      const Float W = decoded(q, w, n_out, cols);
      for (int64_t rows : {1, 3, 17}) {
        const Float x = random_rows(random, rows, cols);
        Float got(rows, n_out);
        q.linear_f32(got.data(), n_out, x.data(), cols, w.tiles.data(), rows, cols, n_out);
        const Double truth = x.cast<double>() * W.cast<double>().transpose(), limit = bound(x, W);
        EXPECT_TRUE(((got.cast<double>() - truth).cwiseAbs().array() <= limit.array()).all())
            << k->isa << " " << q.name;
        const Float eigen = x * W.transpose();
        EXPECT_TRUE(((got - eigen).cast<double>().cwiseAbs().array() <= 2.0 * limit.array()).all())
            << k->isa << " " << q.name;
      }
    }
}

// int8 mode errs by the rounding of the activations alone: half a code of 1/127 of each block's largest
// value.
TEST(EigenOracle, LinearInt8ErrsByTheActivationCodesAlone) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type) {
      const Quant& q = k->quants[type];
      if (!q.integer) continue;
      const int64_t cols = 3 * std::max(q.block, 64), n_out = 49, rows = 5;
      Random random(22);
      const Packed w = random_matrix(random, q, n_out, cols, Scales::ordinary);
      const Float W = decoded(q, w, n_out, cols), x = random_rows(random, rows, cols);
      const Codes codes(*k, x.data(), rows, cols);
      const kernels::Int8Rows view = codes.view();
      Float got(rows, n_out), coded(rows, cols), half_code(rows, cols);
      q.linear_int8(got.data(), n_out, &view, w.tiles.data(), rows, cols, n_out);
      for (int64_t i = 0; i < rows * cols; ++i) {
        const float scale = codes.scale(i / cols, i % cols / kQBlock);
        coded.data()[i] = static_cast<float>(codes.code(i / cols, i % cols)) * scale;
        half_code.data()[i] = 0.5001f * scale;
      }
      const Double at_codes = coded.cast<double>() * W.cast<double>().transpose();
      EXPECT_TRUE(((got.cast<double>() - at_codes).cwiseAbs().array() <= bound(coded, W).array()).all())
          << k->isa << " " << q.name;
      const Double truth = x.cast<double>() * W.cast<double>().transpose();
      const Double limit =
          bound(coded, W) + half_code.cast<double>() * W.cast<double>().cwiseAbs().transpose();
      EXPECT_TRUE(((got.cast<double>() - truth).cwiseAbs().array() <= limit.array()).all())
          << k->isa << " " << q.name;
    }
}

}  // namespace
}  // namespace cutaway::testing
