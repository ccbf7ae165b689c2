// W_O and W_out: a linear layer whose output, normed in sandwich-norm families, is added to the residual
// stream.
#include "ops/ops.h"

namespace cutaway {
namespace {

class LinearAdd final : public Phase {
 public:
  struct Names {
    ValueId raw;    // before the norm; `out` itself without one
    ValueId scale;  // of the norm
    ValueId out, residual, sum;
  };
  LinearAdd(const Input& in, const OutputWeights& w, float eps, const Names& n)
      : in_(in), W_(*w.W), bias_(w.bias), norm_(w.post), eps_(eps), n_(n) {}

  void schedule(const Edits& edits, std::vector<Stage>& stages) const override {
    const bool cut = edits.count(n_.out);
    Stage linear;
    linear.run = [this, cut](Run& run, Worker& w) { project(run, w, !norm_ && !cut); };
    if (!norm_) linear.writes = cut ? std::vector<ValueId>{n_.out} : std::vector<ValueId>{n_.out, n_.sum};
    stages.push_back(std::move(linear));
    if (norm_) {
      Stage normed;
      normed.run = [this, cut](Run& run, Worker& w) { norm_rows(run, w, !cut); };
      normed.writes =
          cut ? std::vector<ValueId>{n_.scale, n_.out} : std::vector<ValueId>{n_.scale, n_.out, n_.sum};
      stages.push_back(std::move(normed));
    }
    if (cut) {
      Stage sum;
      sum.run = [this](Run& run, Worker& w) { add_rows(run, w.first(run.rows), w.last(run.rows)); };
      sum.writes = {n_.sum};
      stages.push_back(std::move(sum));
    }
  }

 private:
  void project(Run& run, Worker& w, bool add) const {
    const kernels::Table& k = *run.kernels;
    const Prepared x = prepare(run, w, in_, run.value[in_.x], run.rows, needs_int8(run, W_));
    const int64_t begin = w.first(W_.n_tiles()), end = w.last(W_.n_tiles()), d = W_.rows;
    float* out = run.value[n_.raw];
    run_linear(run, W_, x, run.rows, begin, end, out, d);
    if (!bias_ && !add) return;
    const int64_t c = begin * kernels::kLanes, n = std::min(end * kernels::kLanes, d) - c;
    if (n <= 0) return;
    for (int64_t r = 0; r < run.rows; ++r) {
      float* y = out + r * d + c;
      if (bias_) k.add(y, y, bias_->data() + c, n);
      if (add) k.add(run.row(n_.sum, r, d) + c, run.row(n_.residual, r, d) + c, y, n);
    }
  }

  void norm_rows(Run& run, Worker& w, bool add) const {
    const int64_t first = w.first(run.rows), last = w.last(run.rows), d = W_.rows;
    float* scale = run.value[n_.scale] ? run.value[n_.scale] + first : nullptr;
    run.kernels->rms_norm(run.row(n_.out, first, d), scale, run.row(n_.raw, first, d), norm_->data(),
                          last - first, d, eps_);
    if (add) add_rows(run, first, last);
  }

  void add_rows(Run& run, int64_t first, int64_t last) const {
    const int64_t d = W_.rows;
    run.kernels->add(run.row(n_.sum, first, d), run.row(n_.residual, first, d), run.row(n_.out, first, d),
                     (last - first) * d);
  }

  Input in_;
  const Matrix& W_;
  const std::vector<float>*bias_, *norm_;
  float eps_;
  Names n_;
};

}  // namespace

ValueId linear_add(const Scope& s, const OutputNames& names, ValueId x, const OutputWeights& w,
                   ValueId residual) {
  const std::string out = names.out, norm = names.post;
  const std::string product =
      s.local_name(x) + " @ " + names.W + (w.bias ? std::string(" + ") + names.bias : "");
  const Scope::Dims dims = {{"d_model", s.config.d_model}};
  LinearAdd::Names n{};
  n.scale = kNoValue;
  if (w.post) {
    n.raw = s.declare({.name = "", .dims = dims, .equation = product});
    n.scale = s.declare(
        {.name = norm + ".scale", .dims = {{"1", 1}}, .equation = "sqrt(mean((" + product + ")^2) + eps)"});
    n.out = s.declare(out, dims, "(" + product + ") / " + norm + ".scale * " + norm + ".w");
    s.declare({.name = norm + ".normalized", .dims = dims, .equation = out, .same_as = n.out});
  } else {
    n.raw = n.out = s.declare(out, dims, product);
  }
  n.sum = s.declare(names.sum, dims, s.local_name(residual) + " + " + out);
  n.residual = residual;
  const Input in = plain(s.plan, x);
  reads(s.plan, in);
  s.plan.reads(residual);
  s.plan.phase<LinearAdd>(in, w, s.config.eps, n);
  return n.sum;
}

}  // namespace cutaway
