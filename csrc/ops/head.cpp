// The unembedding: final norm and logits of the rows that were asked for.
#include <cstring>

#include "ops/ops.h"

namespace cutaway {
namespace {

class Head final : public Phase {
 public:
  Head(const Input& in, const Matrix& W_U, float cap, ValueId gathered, ValueId logits)
      : in_(in), W_U_(W_U), cap_(cap), gathered_(gathered), logits_(logits) {}

  void schedule(const Hooks& hooks, std::vector<Stage>& stages) const override {
    const bool hooked = hooks.count(in_.normalized);
    norm_stage(in_, stages);
    stages.back().by_row = false;  // what follows are other rows
    // Without a hook all rows are normed only if somebody looks.
    if (!hooked)
      stages.back().work = [this](const Run& run) {
        return row_work(run, seen(run) ? run.rows : 0, in_.width);
      };
    Stage gather;
    gather.work = [this](const Run& run) { return row_work(run, n_logits(run), in_.width); };
    gather.run = [this, hooked](Run& run, Worker& w) { this->gather(run, w, hooked || seen(run)); };
    stages.push_back(std::move(gather));
    Stage logits;
    logits.writes = {logits_};
    logits.work = [this](const Run& run) { return linear_work(run, n_logits(run), {&W_U_}, W_U_.n_tiles()); };
    logits.run = [this](Run& run, Worker& w) {
      share_linear(w, [&](const Share& share) { project(run, w, share); });
    };
    stages.push_back(std::move(logits));
  }

  Cost cost(const Run& run) const override { return linear_cost(run, n_logits(run), {&W_U_}); }

 private:
  bool seen(const Run& run) const { return run.tapped[in_.normalized] || run.tapped[in_.scale]; }
  static int64_t n_logits(const Run& run) { return static_cast<int64_t>(run.head_rows.size()); }

  // The normed rows that are asked for, side by side.
  void gather(Run& run, Worker& w, bool normed) const {
    const int64_t d = in_.width;
    const auto [first, last] = w.share(w.rows);
    for (int64_t i = first; i < last; ++i) {
      const int64_t r = run.head_rows[i];
      float* out = run.row(gathered_, i, d);
      if (normed)
        std::memcpy(out, run.row(in_.normalized, r, d), d * sizeof(float));
      else
        run.kernels->rms_norm(out, nullptr, run.row(in_.x, r, d), in_.norm->data(), 1, d, in_.eps);
    }
  }

  void project(Run& run, const Worker& w, const Share& share) const {
    Input in;
    in.x = gathered_;
    in.width = in_.width;
    const Prepared x = prepare(run, w, in, needs_int8(run, W_U_), share);
    const Range c = columns(share.tiles, W_U_);
    run_linear(run, W_U_, x, share.rows, share.tiles, logits_);
    if (cap_ == 0.0f || c.begin >= c.end) return;
    for (int64_t r = share.rows.begin; r < share.rows.end; ++r) {
      float* out = run.row(logits_, r, W_U_.rows) + c.begin;
      run.kernels->soft_cap(out, out, cap_, c.end - c.begin);
    }
  }

  Input in_;
  const Matrix& W_U_;
  float cap_;
  ValueId gathered_, logits_;
};

}  // namespace

ValueId head(const Scope& s, const Input& in, const Matrix& W_U) {
  const Config& c = s.config;
  const ValueId gathered = s.declare(  // nameless: ln_final.normalized of the rows asked for
      {.name = "", .dims = {{"d_model", c.d_model}}, .equation = "ln_final.normalized"});
  const ValueId logits =
      s.declare("logits", {{"d_vocab", c.d_vocab}},
                c.final_soft_cap ? "soft_cap(ln_final.normalized @ W_U)" : "ln_final.normalized @ W_U",
                ValueKind::logits);
  reads(s.plan, in);
  s.phase<Head>("head", in, W_U, c.final_soft_cap, gathered, logits);
  return logits;
}

}  // namespace cutaway
