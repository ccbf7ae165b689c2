// The unembedding: final norm and logits of the rows that were asked for.
#include <cstring>

#include "ops/ops.h"

namespace cutaway {
namespace {

constexpr int64_t kHeadRows = 16;  // rows of logits between two looks for a signal

class Head final : public Phase {
 public:
  Head(const Input& in, const Matrix& W_U, float cap, ValueId gathered, ValueId logits)
      : in_(in), W_U_(W_U), cap_(cap), gathered_(gathered), logits_(logits) {}

  void schedule(const Hooks& hooks, std::vector<Stage>& stages) const override {
    const bool cut = hooks.count(in_.normalized);
    if (cut) norm_stage(in_, stages);
    Stage gather;
    gather.run = [this, cut](Run& run, Worker& w) { this->gather(run, w, cut); };
    if (!cut) gather.writes = {in_.scale, in_.normalized};
    stages.push_back(std::move(gather));
    Stage logits;
    logits.writes = {logits_};
    logits.repeat = [](const Run& run) {
      return static_cast<int>((run.head_rows.size() + kHeadRows - 1) / kHeadRows);
    };
    logits.run = [this](Run& run, Worker& w) { project(run, w); };
    stages.push_back(std::move(logits));
  }

 private:
  // The normed rows that are asked for, side by side. All rows are normed only if somebody looks.
  void gather(Run& run, Worker& w, bool normed) const {
    const int64_t d = in_.width;
    const bool seen = run.tapped[in_.normalized] || run.tapped[in_.scale];
    const auto norm = [&](int64_t r, float* out) {
      float* scale = run.value[in_.scale] && !normed ? run.value[in_.scale] + r : nullptr;
      run.kernels->rms_norm(out, scale, run.row(in_.x, r, d), in_.norm->data(), 1, d, in_.eps);
    };
    if (seen && !normed) {
      for (int64_t r = w.first(run.rows); r < w.last(run.rows); ++r) norm(r, run.row(in_.normalized, r, d));
      w.sync();
    }
    const int64_t n = static_cast<int64_t>(run.head_rows.size());
    for (int64_t i = w.first(n); i < w.last(n); ++i) {
      const int64_t r = run.head_rows[i];
      float* out = run.row(gathered_, i, d);
      if (seen || normed)
        std::memcpy(out, run.row(in_.normalized, r, d), d * sizeof(float));
      else
        norm(r, out);
    }
  }

  void project(Run& run, Worker& w) const {
    const int64_t first = w.part * kHeadRows;
    const int64_t rows = std::min<int64_t>(kHeadRows, static_cast<int64_t>(run.head_rows.size()) - first);
    Input in;
    in.width = in_.width;
    const Prepared x = prepare(run, w, in, run.row(gathered_, first, in_.width), rows, needs_int8(run, W_U_));
    const int64_t begin = w.first(W_U_.n_tiles()), end = w.last(W_U_.n_tiles()), d = W_U_.rows;
    float* out = run.row(logits_, first, d);
    run_linear(run, W_U_, x, rows, begin, end, out, d);
    const int64_t c = begin * kernels::kLanes, n = std::min(end * kernels::kLanes, d) - c;
    if (cap_ == 0.0f || n <= 0) return;
    for (int64_t r = 0; r < rows; ++r) run.kernels->soft_cap(out + r * d + c, out + r * d + c, cap_, n);
  }

  Input in_;
  const Matrix& W_U_;
  float cap_;
  ValueId gathered_, logits_;
};

}  // namespace

ValueId head(Plan& p, const Config& c, const Input& in, const Matrix& W_U) {
  Value gathered;  // nameless: a copy of rows of ln_final.normalized
  gathered.dims = {{"d_model", c.d_model}};
  Value logits;
  logits.name = "logits";
  logits.kind = ValueKind::logits;
  logits.dims = {{"d_vocab", c.d_vocab}};
  logits.equation = c.final_soft_cap ? "soft_cap(ln_final.normalized @ W_U)" : "ln_final.normalized @ W_U";
  logits.replaceable = true;
  const ValueId from = p.name(gathered), id = p.name(logits);
  p.reads(in.x);
  p.reads(in.normalized);
  p.max_cols = std::max(p.max_cols, W_U.cols);
  p.phase<Head>(in, W_U, c.final_soft_cap, from, id);
  return id;
}

}  // namespace cutaway
