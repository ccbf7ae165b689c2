// The gated MLP up to its activation: post = act(x W_gate) * (x W_in). Gate and up tiles of the same columns
// belong to the same thread, which applies the activation while they are in its cache.
#include "ops/ops.h"

namespace cutaway {
namespace {

class GatedMlp final : public Phase {
 public:
  struct Names {
    ValueId pre, pre_linear, post;
  };
  GatedMlp(const Input& in, const Matrix& gate, const Matrix& up, Activation activation, const Names& n)
      : in_(in), gate_(gate), up_(up), activation_(activation), n_(n) {}

  void schedule(const Hooks& hooks, std::vector<Stage>& stages) const override {
    Input in = in_;
    if (in.norm && hooks.count(in.normalized)) in = norm_stage(in, stages);
    const bool cut = hooks.count(n_.pre) || hooks.count(n_.pre_linear);
    Stage linear;
    linear.work = [this](const Run& run) {
      return linear_work(run, run.rows, {&gate_, &up_}, gate_.n_tiles());
    };
    linear.run = [this, in, cut](Run& run, Worker& w) { project(run, w, in, !cut); };
    if (in.norm) linear.writes = {in.scale, in.normalized};
    linear.writes.insert(linear.writes.end(), {n_.pre, n_.pre_linear});
    if (!cut) linear.writes.push_back(n_.post);
    stages.push_back(std::move(linear));
    if (cut) {
      Stage act;
      act.writes = {n_.post};
      act.work = [this](const Run& run) { return row_work(run, run.rows, gate_.rows); };
      act.run = [this](Run& run, Worker& w) {
        const auto [first, last] = w.share(w.rows);
        activate(run, first * gate_.rows, (last - first) * gate_.rows);
      };
      stages.push_back(std::move(act));
    }
  }

 private:
  void project(Run& run, Worker& w, const Input& in, bool act) const {
    const Prepared x = prepare(run, w, in, needs_int8(run, gate_) || needs_int8(run, up_));
    const Range tiles = w.share(w.tiles), c = columns(tiles, gate_);
    run_linear(run, gate_, x, w.rows, tiles, run.value[n_.pre]);
    run_linear(run, up_, x, w.rows, tiles, run.value[n_.pre_linear]);
    if (!act || c.begin >= c.end) return;
    for (int64_t r = w.rows.begin; r < w.rows.end; ++r)
      activate(run, r * gate_.rows + c.begin, c.end - c.begin);
  }

  void activate(Run& run, int64_t at, int64_t n) const {
    const auto f = activation_ == Activation::silu ? run.kernels->silu_mul : run.kernels->gelu_tanh_mul;
    f(run.value[n_.post] + at, run.value[n_.pre] + at, run.value[n_.pre_linear] + at, n);
  }

  Input in_;
  const Matrix &gate_, &up_;
  Activation activation_;
  Names n_;
};

}  // namespace

ValueId gated_mlp(Plan& p, const Config& c, int layer, const Input& in, const Matrix& W_gate,
                  const Matrix& W_in) {
  const std::string at = "blocks." + std::to_string(layer) + ".mlp.", x = p.values()[in.normalized].name;
  const auto declare = [&](const char* name, const std::string& equation) {
    Value v;
    v.name = at + name;
    v.dims = {{"d_mlp", c.d_mlp}};
    v.equation = equation;
    v.replaceable = true;
    v.layer = layer;
    return p.name(v);
  };
  GatedMlp::Names n{};
  n.pre = declare("pre", x + " @ W_gate");
  n.pre_linear = declare("pre_linear", x + " @ W_in");
  n.post = declare(
      "post", std::string(c.activation == Activation::silu ? "silu" : "gelu_tanh") + "(pre) * pre_linear");
  p.reads(in.x);
  p.reads(in.normalized);
  p.max_cols = std::max({p.max_cols, W_gate.cols, W_in.cols});
  p.phase<GatedMlp>(in, W_gate, W_in, c.activation, n);
  return n.post;
}

}  // namespace cutaway
