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
    linear.work = [this](const Run& run) { return linear_work(run, run.rows, {&W_}, W_.n_tiles()); };
    linear.run = [this, cut](Run& run, Worker& w) { project(run, w, !norm_ && !cut); };
    if (!norm_) linear.writes = cut ? std::vector<ValueId>{n_.out} : std::vector<ValueId>{n_.out, n_.sum};
    stages.push_back(std::move(linear));
    if (norm_) {
      Stage normed;
      normed.work = [this](const Run& run) { return row_work(run, run.rows, 2 * W_.rows); };
      normed.run = [this, cut](Run& run, Worker& w) { norm_rows(run, w, !cut); };
      normed.writes =
          cut ? std::vector<ValueId>{n_.scale, n_.out} : std::vector<ValueId>{n_.scale, n_.out, n_.sum};
      stages.push_back(std::move(normed));
    }
    if (cut) {
      Stage sum;
      sum.work = [this](const Run& run) { return row_work(run, run.rows, W_.rows); };
      sum.run = [this](Run& run, Worker& w) { add_rows(run, w.share(w.rows)); };
      sum.writes = {n_.sum};
      stages.push_back(std::move(sum));
    }
  }

 private:
  void project(Run& run, Worker& w, bool add) const {
    const kernels::Table& k = *run.kernels;
    const Prepared x = prepare(run, w, in_, needs_int8(run, W_));
    const Range tiles = w.share(w.tiles), c = columns(tiles, W_);
    run_linear(run, W_, x, w.rows, tiles, run.value[n_.raw]);
    const int64_t n = c.end - c.begin, d = W_.rows;
    if ((!bias_ && !add) || n <= 0) return;
    for (int64_t r = w.rows.begin; r < w.rows.end; ++r) {
      float* y = run.row(n_.raw, r, d) + c.begin;
      if (bias_) k.add(y, y, bias_->data() + c.begin, n);
      if (add) k.add(run.row(n_.sum, r, d) + c.begin, run.row(n_.residual, r, d) + c.begin, y, n);
    }
  }

  void norm_rows(Run& run, Worker& w, bool add) const {
    const auto [first, last] = w.share(w.rows);
    const int64_t d = W_.rows;
    float* scale = run.value[n_.scale] ? run.value[n_.scale] + first : nullptr;
    run.kernels->rms_norm(run.row(n_.out, first, d), scale, run.row(n_.raw, first, d), norm_->data(),
                          last - first, d, eps_);
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
