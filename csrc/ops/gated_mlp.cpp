// The gated MLP up to its activation: post = act(x W_gate) * (x W_in). W_gate and W_in tiles of the same
// columns belong to the same thread, which applies the activation while they are in its cache.
#include "ops/ops.h"

namespace cutaway {
namespace {

// Tiles: with many rows the activation reads so many columns out of the cache. Threes and fours of tiles fit
// in.
constexpr int64_t kStrip = 24;

class GatedMlp final : public Phase {
 public:
  struct Names {
    ValueId pre, pre_linear, post;
  };
  GatedMlp(const Input& in, const Matrix& W_gate, const Matrix& W_in, Activation activation, const Names& n)
      : in_(in), W_gate_(W_gate), W_in_(W_in), activation_(activation), n_(n) {}

  void schedule(const Hooks& hooks, std::vector<Stage>& stages) const override {
    Input in = in_;
    if (in.norm && hooks.count(in.normalized)) in = norm_stage(in, stages);
    const bool cut = hooks.count(n_.pre) || hooks.count(n_.pre_linear);
    Stage linear;
    linear.by_row = true;
    linear.work = [this](const Run& run) {
      return linear_work(run, run.rows, {&W_gate_, &W_in_}, W_gate_.n_tiles());
    };
    linear.run = [this, in, cut](Run& run, Worker& w) {
      share_linear(w, [&](const Share& share) { project(run, w, share, in, !cut); });
    };
    if (in.norm) linear.writes = {in.scale, in.normalized};
    linear.writes.insert(linear.writes.end(), {n_.pre, n_.pre_linear});
    if (!cut) linear.writes.push_back(n_.post);
    stages.push_back(std::move(linear));
    if (cut) {
      Stage act;
      act.by_row = true;
      act.writes = {n_.post};
      act.work = [this](const Run& run) { return row_work(run, run.rows, W_gate_.rows); };
      act.run = [this](Run& run, Worker& w) { activate(run, w.share(w.rows), {0, W_gate_.rows}); };
      stages.push_back(std::move(act));
    }
  }

  Cost cost(const Run& run) const override { return linear_cost(run, run.rows, {&W_gate_, &W_in_}); }

 private:
  void project(Run& run, const Worker& w, const Share& share, const Input& in, bool act) const {
    const Prepared x = prepare(run, w, in, needs_int8(run, W_gate_) || needs_int8(run, W_in_), share);
    const int64_t strip = share.rows.end - share.rows.begin > kFewRows ? kStrip : share.tiles.end;
    for (int64_t t = share.tiles.begin; t < share.tiles.end; t += strip) {
      const Range tiles = {t, std::min(t + strip, share.tiles.end)}, c = columns(tiles, W_gate_);
      run_linear(run, W_gate_, x, share.rows, tiles, n_.pre);
      run_linear(run, W_in_, x, share.rows, tiles, n_.pre_linear);
      if (act && c.begin < c.end) activate(run, share.rows, c);
    }
  }

  void activate(Run& run, Range rows, Range columns) const {
    const auto f = activation_ == Activation::silu ? run.kernels->silu_mul : run.kernels->gelu_tanh_mul;
    const auto at = [&](ValueId id, int64_t r) { return run.row(id, r, W_gate_.rows) + columns.begin; };
    for (int64_t r = rows.begin; r < rows.end; ++r)
      f(at(n_.post, r), at(n_.pre, r), at(n_.pre_linear, r), columns.end - columns.begin);
  }

  Input in_;
  const Matrix &W_gate_, &W_in_;
  Activation activation_;
  Names n_;
};

}  // namespace

ValueId gated_mlp(const Scope& s, const Input& in, const Matrix& W_gate, const Matrix& W_in) {
  const std::string x = s.plan.values()[in.rows()].name;
  const std::string act = s.config.activation == Activation::silu ? "silu" : "gelu_tanh";
  const Scope::Dims dims = {{"d_mlp", s.config.d_mlp}};
  GatedMlp::Names n{};
  n.pre = s.declare("mlp.pre", dims, x + " @ W_gate");
  n.pre_linear = s.declare("mlp.pre_linear", dims, x + " @ W_in");
  n.post = s.declare("mlp.post", dims, act + "(pre) * pre_linear");
  reads(s.plan, in);
  s.phase<GatedMlp>("gated_mlp", in, W_gate, W_in, s.config.activation, n);
  return n.post;
}

}  // namespace cutaway
