// The first phase: embedding rows, and the rotation angles of every row for the whole call.
#include "core/sincos.h"
#include "ops/ops.h"

namespace cutaway {
namespace {

// cos, sin of position * inv_freq: the angle is one float32 product, its sine and cosine come from one
// function.
void fill_angles(Run& run, int64_t first, int64_t last) {
  for (size_t i = 0; i < run.config->ropes.size(); ++i) {
    const std::vector<float>& inv_freq = run.config->ropes[i].inv_freq;
    const int64_t half = static_cast<int64_t>(inv_freq.size());
    float* cos = run.cos_sin.data() + run.cos_at[i];
    float* sin = cos + run.rows * half;
    for (int64_t r = first; r < last; ++r)
      for (int64_t f = 0; f < half; ++f) {
        const float angle = static_cast<float>(run.positions[r]) * inv_freq[f];
        double s, c;
        sincos_exact(angle, &s, &c);
        cos[r * half + f] = static_cast<float>(c);
        sin[r * half + f] = static_cast<float>(s);
      }
  }
}

class Embed final : public Phase {
 public:
  Embed(ValueId out, const Matrix& W_E, float scale) : out_(out), W_E_(W_E), scale_(scale) {}
  void schedule(const Hooks&, std::vector<Stage>& stages) const override {
    Stage stage;
    stage.by_row = true;
    stage.writes = {out_};
    stage.work = [this](const Run& run) {  // a row is decoded with the 15 beside it; an angle costs a hundred
      int64_t angles = 0;
      for (const Rope& rope : run.config->ropes) angles += static_cast<int64_t>(rope.inv_freq.size());
      return row_work(run, run.rows, W_E_.cols * kernels::kLanes + angles * 100);
    };
    stage.run = [this](Run& run, Worker& w) {
      const auto [first, last] = w.share(w.rows);
      fill_angles(run, first, last);
      float* scratch = run.scratch[w.thread]->floats();
      for (int64_t r = first; r < last; ++r) {
        float* x = run.row(out_, r, W_E_.cols);
        decode_row(W_E_, *run.kernels, run.tokens[r], x, scratch);
        if (scale_ != 1.0f) run.kernels->scale(x, x, scale_, W_E_.cols);
      }
    };
    stages.push_back(std::move(stage));
  }

  Cost cost(const Run& run) const override {  // a row stands in a tile with 15 others
    const auto tile = static_cast<double>(run.kernels->quants[W_E_.quant].tile_bytes(W_E_.cols));
    return {0.0, static_cast<double>(run.rows) * tile / kernels::kLanes};
  }

 private:
  ValueId out_;
  const Matrix& W_E_;
  float scale_;
};

// Gives an alias its own copy when it is hooked.
class Alias final : public Phase {
 public:
  Alias(ValueId id, ValueId of, int64_t width) : id_(id), of_(of), width_(width) {}
  void schedule(const Hooks& hooks, std::vector<Stage>& stages) const override {
    if (!hooks.count(id_)) return;
    Stage stage;
    stage.by_row = true;
    stage.writes = {id_};
    stage.work = [this](const Run& run) { return row_work(run, run.rows, width_); };
    stage.run = [this](Run& run, Worker& w) {
      const auto [first, last] = w.share(w.rows);
      for (int64_t r = first; r < last; ++r)
        std::copy_n(run.row(of_, r, width_), width_, run.row(id_, r, width_));
    };
    stages.push_back(std::move(stage));
  }

 private:
  ValueId id_, of_;
  int64_t width_;
};

}  // namespace

ValueId embed(const Scope& s, const Matrix& W_E) {
  const Config& c = s.config;
  const ValueId id = s.declare("embed", {{"d_model", c.d_model}},
                               c.embed_scale == 1.0f ? "W_E[ids]" : "W_E[ids] * embed_scale");
  s.plan.max_cols = std::max(s.plan.max_cols, W_E.cols);
  s.phase<Embed>("embed", id, W_E, c.embed_scale);
  return id;
}

ValueId alias(const Scope& s, const std::string& name, ValueId of, const std::string& equation) {
  const Scope::Dims dims = s.plan.values()[of].dims;
  const ValueId id =
      s.declare({.name = name, .dims = dims, .equation = equation, .replaceable = true, .same_as = of});
  s.plan.reads(id);
  s.phase<Alias>(name, id, of, s.plan.values()[id].width);
  return id;
}

}  // namespace cutaway
