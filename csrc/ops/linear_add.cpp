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

  void schedule(const Hooks& hooks, std::vector<Stage>& stages) const override {
    const bool cut = hooks.count(n_.out);
    Stage linear;
    linear.by_row = true;
    linear.work = [this](const Run& run) { return linear_work(run, run.rows, {&W_}, W_.n_tiles()); };
    linear.run = [this, cut](Run& run, Worker& w) {
      share_linear(w, [&](const Share& share) { project(run, w, share, !norm_ && !cut); });
    };
    if (!norm_) linear.writes = cut ? std::vector<ValueId>{n_.out} : std::vector<ValueId>{n_.out, n_.sum};
    stages.push_back(std::move(linear));
    if (norm_) {
      Stage normed;
      normed.by_row = true;
      normed.work = [this](const Run& run) { return row_work(run, run.rows, 2 * W_.rows); };
      normed.run = [this, cut](Run& run, Worker& w) { norm_rows(run, w, !cut); };
      normed.writes =
          cut ? std::vector<ValueId>{n_.scale, n_.out} : std::vector<ValueId>{n_.scale, n_.out, n_.sum};
      stages.push_back(std::move(normed));
    }
    if (cut) {
      Stage sum;
      sum.by_row = true;
      sum.work = [this](const Run& run) { return row_work(run, run.rows, W_.rows); };
      sum.run = [this](Run& run, Worker& w) { add_rows(run, w.share(w.rows)); };
      sum.writes = {n_.sum};
      stages.push_back(std::move(sum));
    }
  }

  Cost cost(const Run& run) const override { return linear_cost(run, run.rows, {&W_}); }

 private:
  void project(Run& run, const Worker& w, const Share& share, bool add) const {
    const kernels::Table& k = *run.kernels;
    const Prepared x = prepare(run, w, in_, needs_int8(run, W_), share);
    const Range c = columns(share.tiles, W_);
    run_linear(run, W_, x, share.rows, share.tiles, n_.raw);
    const int64_t n = c.end - c.begin, d = W_.rows;
    if ((!bias_ && !add) || n <= 0) return;
    for (int64_t r = share.rows.begin; r < share.rows.end; ++r) {
      float* y = run.row(n_.raw, r, d) + c.begin;
      if (bias_) k.add(y, y, bias_->data() + c.begin, n);
      if (add) k.add(run.row(n_.sum, r, d) + c.begin, run.row(n_.residual, r, d) + c.begin, y, n);
    }
  }

  void norm_rows(Run& run, Worker& w, bool add) const {
    const auto [first, last] = w.share(w.rows);
    const int64_t d = W_.rows;
    run.kernels->rms_norm(run.row(n_.out, first, d), run.row(n_.scale, first, 1), run.row(n_.raw, first, d),
                          norm_->data(), last - first, d, eps_);
    if (add) add_rows(run, {first, last});
  }

  void add_rows(Run& run, Range rows) const {
    const int64_t d = W_.rows;
    run.kernels->add(run.row(n_.sum, rows.begin, d), run.row(n_.residual, rows.begin, d),
                     run.row(n_.out, rows.begin, d), (rows.end - rows.begin) * d);
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
  s.phase<LinearAdd>(out, in, w, s.config.eps, n);
  return n.sum;
}

}  // namespace cutaway
