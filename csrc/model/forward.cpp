// One call of the model: checks, memory, chunks, hooks. The arithmetic is in the stages.
#include <algorithm>

#include "core/error.h"
#include "core/stopwatch.h"
#include "model/call.h"
#include "model/executor.h"
#include "model/model.h"
#include "model/state.h"
#include "ops/ops.h"

namespace cutaway {
namespace {

constexpr int64_t kChunk = 512;
constexpr uint64_t kSmall = uint64_t{64} << 20;  // requests below this are not held against the free memory

}  // namespace

void check_length(const std::string& what, int64_t past, int64_t n, int64_t n_ctx, int64_t n_ctx_of_file) {
  const int64_t total = past + n;
  if (total <= n_ctx) return;
  const std::string tokens = n == 1 ? "token" : "tokens";
  const std::string has =
      past ? text("{} new {} behind the {} in the cache", n, tokens, past) : text("{} {}", n, tokens);
  const std::string way = total <= n_ctx_of_file
                              ? text("Shorten it, or load the model with n_ctx={} or more", total)
                              : text("Shorten it");
  throw ArgumentError(text("{} has {}, and the context holds {}. {}; its file allows at most {}.", what, has,
                           n_ctx, way, n_ctx_of_file));
}

void Model::check_request(const Request& request) const {
  if (request.sequences.empty()) throw ArgumentError("the batch is empty; pass at least one prompt");
  for (size_t i = 0; i < request.sequences.size(); ++i) {
    const Sequence& s = request.sequences[i];
    const int64_t n = static_cast<int64_t>(s.ids.size());
    const std::string where = request.sequences.size() > 1 ? text("prompt {}", i) : "the prompt";
    if (n == 0) throw ArgumentError(where + " is empty; pass at least one token id");
    for (int64_t k = 0; k < n; ++k)
      if (s.ids[k] < 0 || s.ids[k] >= config_.d_vocab)
        throw ArgumentError(text("{} has token id {} at position {}, expected 0 to {}", where, s.ids[k], k,
                                 config_.d_vocab - 1));
    check_length(where, s.cache->length(), n, n_ctx_, config_.n_ctx);
    for (int64_t p : s.positions)
      if (p < 0 || p >= n) throw ArgumentError(text("positions has {}, expected 0 to {}", p, n - 1));
    for (size_t j = 0; j < i; ++j)
      if (request.sequences[j].cache == s.cache)
        throw ArgumentError(text("prompts {} and {} use the same session", j, i));
  }
  for (ValueId id : request.hooks)
    if (!plan_.values()[id].replaceable)
      throw ArgumentError(text("{} can be read but not replaced", plan_.values()[id].name));
}

// Rows of a chunk.
int64_t Model::chunk_for(const Request& request, int64_t rows) const {
  if (!request.hooks.empty()) return rows;  // a hook sees all positions of the call at once
  return std::min(rows, chunk > 0 ? chunk : kChunk);
}

int Model::threads_for(int64_t rows) {
  const int team = team_size(threads);
  if (rows > kFewRows) return team;
  const double saved = row_ms_ * static_cast<double>(rows) * (1 - 1.0 / team);
  return saved < meeting_ms * static_cast<double>(stages_.size()) ? 1 : crowding_.threads(team);
}

uint64_t Model::estimate(const Request& request) const {
  const int64_t total = total_rows(request), rows = chunk_for(request, total);
  uint64_t bytes = static_cast<uint64_t>(rows) * (plan_.arena_width(false) + plan_.arena_width(true)) * 4;
  for (const Sequence& s : request.sequences) {
    bytes += s.cache->bytes_to_reserve(static_cast<int64_t>(s.ids.size()));
    bytes += static_cast<uint64_t>(logit_rows(request, s)) * config_.d_vocab * 4;
  }
  for (ValueId id : own_buffers(plan_, request)) {
    const Value& v = plan_.values()[id];
    if (v.kind == ValueKind::rows) bytes += static_cast<uint64_t>(total) * v.width * 4;
    if (v.kind == ValueKind::pattern)
      for (const Sequence& s : request.sequences)
        bytes += static_cast<uint64_t>(map_floats(request, id, v, s)) * 4;
  }
  for (ValueId id : request.taps) {  // chosen positions are copied out, derived values computed later
    const Value& v = plan_.values()[id];
    for (const Sequence& s : request.sequences) {
      const uint64_t kept = s.positions.size() * 4, n = s.ids.size();
      if (v.kind == ValueKind::rows) bytes += kept * v.width;
      if (v.kind == ValueKind::pattern) bytes += kept * v.dims[0].second * (s.cache->length() + n);
      if (v.kind == ValueKind::derived) bytes += (kept ? kept : n * 4) * v.width;
    }
  }
  return bytes;
}

void Model::check_memory(uint64_t need, const char* remedy) {
  if (need <= kSmall) return;
  if (const uint64_t have = room_for(need); need > have)
    throw MemoryLimitError(
        text("this call needs about {} MiB and {} MiB are free; {}", need >> 20, have >> 20, remedy));
}

// What the phases did with this chunk, beside the seconds they took.
void Model::add_profile(const Run& run, std::vector<double>& seconds, std::vector<PhaseProfile>& out) const {
  out.resize(plan_.phases().size());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i].seconds += seconds[i];
    out[i].cost.add(plan_.phases()[i]->cost(run));
    seconds[i] = 0;
  }
}

Output Model::forward(const Request& request) {
  check_request(request);
  const bool brief = total_rows(request) <= kFewRows;
  const int n_threads = threads_for(total_rows(request));
  const int64_t total = total_rows(request), rows = chunk_for(request, total);
  check_memory(estimate(request), "trace fewer names, ask for the last row's logits, or shorten the prompt");

  struct Restore {  // a failed or cancelled call leaves every cache as it was
    const Request& request;
    bool done = false;
    ~Restore() {
      if (!done)
        for (const Sequence& s : request.sequences) s.cache->truncate(s.cache->length());
    }
  } restore{request};
  for (const Sequence& s : request.sequences) s.cache->reserve(static_cast<int64_t>(s.ids.size()));

  Call call(*this, request);
  auto state = take_state();
  Run& run = state->run;
  run.kernels = kernels_;
  run.config = &config_;
  run.int8 = compute_ == "int8";
  run.threads = n_threads;
  run.overflow = kNoValue;
  int64_t keys = 0;
  for (const Sequence& s : request.sequences)
    keys = std::max(keys, s.cache->length() + static_cast<int64_t>(s.ids.size()));
  run.reserve_scratch(n_threads, std::max({prepare_scratch(plan_.max_cols), attention_scratch(config_, keys),
                                           plan_.max_cols * 64}));
  run.cos_at.clear();
  int64_t angles = 0;
  for (const Rope& r : config_.ropes)
    run.cos_at.push_back(angles), angles += 2 * rows * static_cast<int64_t>(r.inv_freq.size());
  if (static_cast<int64_t>(run.cos_sin.size()) < angles) run.cos_sin.resize(angles);

  std::vector<Stage> hooked;
  if (!request.hooks.empty()) hooked = plan_.schedule(request.hooks);
  std::vector<double> seconds(request.profile ? plan_.phases().size() : 0);
  const std::vector<Stage>& stages = request.hooks.empty() ? stages_ : hooked;
  int64_t done_logits = 0;
  const Stopwatch watch;
  for (int64_t begin = 0; begin < total; begin += rows) {
    const int64_t end = std::min(total, begin + rows);
    call.set_rows(run, begin, end, state->tokens, state->positions);
    run.block = Executor::block(stages, run, n_threads, request.pacing);
    // A hook ends a chain, and cuts off what is read behind it.
    const bool chained = run.block && request.hooks.empty();
    run.ring_rows = chained ? run.block * n_threads : run.rows;
    run.slots.assign(chained ? (run.rows + run.block - 1) / run.block : 0, 0);
    const size_t arena_bytes =
        static_cast<size_t>(rows * plan_.arena_width(false) + run.ring_rows * plan_.arena_width(true)) * 4;
    if (!state->arena || state->arena->bytes() < arena_bytes) state->arena = pool_.take(arena_bytes);
    call.bind(run, *state->arena, begin, rows);
    run.value[logits_] = call.logits(done_logits);
    done_logits += static_cast<int64_t>(run.head_rows.size());
    run.reset_tasks();
    Executor executor(stages, run, n_threads, request.hooks, request.pacing);
    if (request.profile) executor.seconds = seconds.data();
    executor.go([&](const Stage* stage) {
      if (request.check) request.check();
      if (stage) call.hooks(run, *stage);
    });
    if (request.profile) add_profile(run, seconds, *request.profile);
    if (const ValueId id = run.overflow; id != kNoValue)
      throw ArgumentError(text(
          "{} has a number beyond the range of float16, in which the KV cache is kept; load the model with "
          "kv_type='F32', or with compute='float32' and no kv_type",
          plan_.values()[id].name));
  }
  if (brief) crowding_.note(n_threads, watch.cpu_seconds(), watch.seconds());
  give_state(std::move(state));
  Output out = call.finish();
  for (const Sequence& s : request.sequences) s.cache->commit(static_cast<int64_t>(s.ids.size()));
  restore.done = true;
  return out;
}

}  // namespace cutaway
