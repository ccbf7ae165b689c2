// The head alone: logits of rows of a residual stream. It runs the plan's last phase on memory of its own, so
// that the last layer's resid_post gives the bits of a whole call's logits.
#include <algorithm>

#include "core/error.h"
#include "model/executor.h"
#include "model/model.h"
#include "model/state.h"
#include "ops/ops.h"

namespace cutaway {
namespace {
constexpr int64_t kRows = 64;  // taken at a time; never changes a bit
}

std::shared_ptr<Buffer> Model::unembed(const float* resid, int64_t n, const std::function<void()>& check) {
  const int64_t V = config_.d_vocab, d = config_.d_model, rows = std::min(kRows, n);
  const int n_threads = team_size(threads);
  const std::string last = text("blocks.{}.resid_post", config_.n_layers - 1);
  const ValueId from = plan_.find(last);
  if (from == kNoValue) throw Error(text("unembed reads {}, which this architecture does not name", last));
  const int64_t width = plan_.arena_width(false) + plan_.arena_width(true);
  check_memory(static_cast<uint64_t>(n) * V * 4 + static_cast<uint64_t>(rows) * width * 4,
               "unembed fewer rows at a time");

  auto logits = pool_.take(static_cast<size_t>(n) * V * 4);  // [n, d_vocab]
  auto arena = pool_.take(static_cast<size_t>(rows) * width * 4);
  auto state = take_state();
  Run& run = state->run;
  run.kernels = kernels_;
  run.config = &config_;
  run.int8 = compute_ == "int8";
  run.parts.clear();
  run.block = 0;
  run.slots.clear();
  run.tapped.assign(plan_.values().size(), 0);
  run.ring.assign(plan_.values().size(), 0);
  run.reserve_scratch(n_threads, prepare_scratch(plan_.max_cols));
  std::vector<Stage> head;
  plan_.phases().back()->schedule({}, head);
  for (int64_t begin = 0; begin < n; begin += rows) {
    run.rows = std::min(rows, n - begin);
    run.head_rows.resize(run.rows);
    for (int64_t r = 0; r < run.rows; ++r) run.head_rows[r] = r;
    run.value.assign(plan_.values().size(), nullptr);
    for (size_t i = 0; i < plan_.values().size(); ++i) {
      const ValueId id = static_cast<ValueId>(i);
      if (plan_.values()[i].kind == ValueKind::rows)
        run.value[i] =
            arena->floats() +
            (plan_.offset(plan_.root(id)) + (plan_.brief(id) ? plan_.arena_width(false) : 0)) * rows;
      if (plan_.root(id) == plan_.root(from))
        run.value[i] = const_cast<float*>(resid + begin * d);  // the head only reads it
    }
    run.value[logits_] = logits->floats() + begin * V;
    run.reset_tasks();
    Executor(head, run, n_threads, {}, {}).go([&](const Stage*) {
      if (check) check();
    });
  }
  give_state(std::move(state));
  return logits;
}

}  // namespace cutaway
