// W_O and W_out: a linear layer whose output, normed in sandwich-norm families, is added to the residual
// stream.
#include "ops/ops.h"

namespace cutaway {
namespace {

class LinearAdd final : public Phase {
 public:
  struct Names {
    ValueId raw, out, sum, residual, scale;
  };
  LinearAdd(const Input& in, const Matrix& W, const std::vector<float>* bias, const std::vector<float>* norm,
            float eps, const Names& n)
      : in_(in), W_(W), bias_(bias), norm_(norm), eps_(eps), n_(n) {}

  void schedule(const Hooks& hooks, std::vector<Stage>& stages) const override {
    const bool cut = hooks.count(n_.out);
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

ValueId linear_add(Plan& p, const Config& c, int layer, const std::string& out, const std::string& sum,
                   const Input& in, const Matrix& W, const std::vector<float>* bias, ValueId residual,
                   const std::vector<float>* post_norm, const std::string& post_name) {
  const std::string at = "blocks." + std::to_string(layer) + ".";
  const std::string letter = out == "attn_out" ? "O" : "out",
                    source = out == "attn_out" ? "attn.z" : "mlp.post";
  const auto declare = [&](const std::string& name, int64_t width, const std::string& equation,
                           bool replaceable) {
    Value v;
    v.name = name;
    v.dims = width == 1 ? std::vector<std::pair<std::string, int64_t>>{{"1", 1}}
                        : std::vector<std::pair<std::string, int64_t>>{{"d_model", width}};
    v.equation = equation;
    v.replaceable = replaceable;
    v.layer = layer;
    return p.name(v);
  };
  const std::string product = source + " @ W_" + letter + (bias ? " + b_" + letter : "");
  LinearAdd::Names n{};
  n.scale = kNoValue;
  if (post_norm) {
    n.raw = declare("", W.rows, product, false);
    n.scale = declare(at + post_name + ".scale", 1, "sqrt(mean((" + product + ")^2) + eps)", false);
    n.out =
        declare(at + out, W.rows, "(" + product + ") / " + post_name + ".scale * " + post_name + ".w", true);
    Value same;
    same.name = at + post_name + ".normalized";
    same.dims = p.values()[n.out].dims;
    same.equation = out;
    same.same_as = n.out;
    same.layer = layer;
    p.name(same);
  } else {
    n.raw = n.out = declare(at + out, W.rows, product, true);
  }
  const std::string of = p.values()[residual].name;
  n.sum = declare(at + sum, W.rows, of.substr(of.rfind('.') + 1) + " + " + out, true);
  n.residual = residual;
  p.reads(in.x);
  p.reads(residual);
  p.max_cols = std::max(p.max_cols, W.cols);
  p.phase<LinearAdd>(in, W, bias, post_norm, c.eps, n);
  return n.sum;
}

}  // namespace cutaway
