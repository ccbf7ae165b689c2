// One call of the model: checks, memory, chunks, hooks. The arithmetic is in the stages.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/cpu.h"
#include "core/error.h"
#include "model/executor.h"
#include "model/model.h"
#include "model/state.h"
#include "ops/ops.h"

namespace cutaway {
namespace {

constexpr int64_t kChunk = 512;
constexpr uint64_t kSmall = uint64_t{64} << 20;   // requests below this are not held against the free memory

int64_t total_rows(const Request& request) {
  int64_t n = 0;
  for (const Sequence& s : request.sequences) n += static_cast<int64_t>(s.ids.size());
  return n;
}

int64_t logit_rows(const Request& request, const Sequence& s) {
  return request.logits == LogitRows::none ? 0 : request.logits == LogitRows::last ? 1 : static_cast<int64_t>(s.ids.size());
}

// Values that get buffers of their own, never the arena: what is traced and what is hooked.
std::vector<ValueId> own_buffers(const Plan& plan, const Request& request) {
  std::vector<ValueId> out;
  const auto add = [&](ValueId id) {
    if (!request.edits.count(id)) id = plan.root(id);
    if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
  };
  for (ValueId id : request.taps)
    if (plan.values()[id].kind != ValueKind::logits) add(id);
  for (ValueId id : request.edits)
    if (plan.values()[id].kind != ValueKind::logits) add(id);
  return out;
}

int64_t map_floats(const Value& v, const Sequence& s) {
  const int64_t n = static_cast<int64_t>(s.ids.size());
  return v.dims[0].second * n * (s.cache->length() + n);
}

}  // namespace

void Model::check_request(const Request& request) const {
  if (request.sequences.empty()) throw ArgumentError("the batch is empty; pass at least one prompt");
  for (size_t i = 0; i < request.sequences.size(); ++i) {
    const Sequence& s = request.sequences[i];
    const int64_t n = static_cast<int64_t>(s.ids.size());
    const std::string where = request.sequences.size() > 1 ? text("prompt {} ", i) : "the prompt ";
    if (n == 0) throw ArgumentError(where + "is empty; pass at least one token id");
    for (int64_t k = 0; k < n; ++k)
      if (s.ids[k] < 0 || s.ids[k] >= config_.d_vocab)
        throw ArgumentError(text("{}has token id {} at position {}, expected 0 to {}", where, s.ids[k], k, config_.d_vocab - 1));
    if (s.cache->length() + n > n_ctx_)
      throw ArgumentError(text("{}needs {} positions ({} in the cache and {} new), but n_ctx is {}{}", where,
                               s.cache->length() + n, s.cache->length(), n, n_ctx_,
                               n_ctx_ < config_.n_ctx ? text("; load with n_ctx up to {}", config_.n_ctx) : ""));
    for (int64_t p : s.positions)
      if (p < 0 || p >= n) throw ArgumentError(text("positions has {}, expected 0 to {}", p, n - 1));
    for (size_t j = 0; j < i; ++j)
      if (request.sequences[j].cache == s.cache) throw ArgumentError(text("prompts {} and {} use the same session", j, i));
  }
  for (ValueId id : request.edits)
    if (!plan_.values()[id].editable)
      throw ArgumentError(text("{} can be read but not replaced", plan_.values()[id].name));
}

// Rows of a chunk: so many that a stage stays well below the period at which signals are looked for.
int64_t Model::chunk_for(const Request& request, int64_t rows) const {
  if (!request.edits.empty()) return rows;   // a hook sees all positions of the call at once
  if (chunk > 0) return std::min(chunk, rows);
  const bool scalar = kernels_ == &kernels_for("scalar"), int8 = compute_ == "int8";
  const double per_ms = (scalar ? (int8 ? 5e5 : 2e5) : (int8 ? 2e7 : 8e6)) * threads;   // multiply-adds, conservative
  double largest = 1;
  for (const Matrix& m : weights_.matrices)
    if (m.rows != config_.d_vocab) largest = std::max(largest, static_cast<double>(m.rows) * static_cast<double>(m.cols));
  const int64_t fit = static_cast<int64_t>(20.0 * per_ms / largest);
  return std::min(rows, std::clamp<int64_t>(fit, 16, kChunk));
}

uint64_t Model::estimate(const Request& request) const {
  const int64_t total = total_rows(request), rows = chunk_for(request, total);
  uint64_t bytes = static_cast<uint64_t>(rows) * (plan_.arena_width() * 4 + plan_.max_cols * 2);
  for (const Sequence& s : request.sequences) {
    bytes += s.cache->bytes_to_reserve(static_cast<int64_t>(s.ids.size()));
    bytes += static_cast<uint64_t>(logit_rows(request, s)) * config_.d_vocab * 4;
  }
  for (ValueId id : own_buffers(plan_, request)) {
    const Value& v = plan_.values()[id];
    if (v.kind == ValueKind::rows) bytes += static_cast<uint64_t>(total) * v.width * 4;
    if (v.kind == ValueKind::pattern)
      for (const Sequence& s : request.sequences) bytes += static_cast<uint64_t>(map_floats(v, s)) * 4;
  }
  for (ValueId id : request.taps) {   // chosen positions are copied out
    const Value& v = plan_.values()[id];
    for (const Sequence& s : request.sequences) {
      const uint64_t kept = s.positions.size() * 4, n = s.ids.size();
      if (v.kind == ValueKind::rows) bytes += kept * v.width;
      if (v.kind == ValueKind::pattern) bytes += kept * v.dims[0].second * (s.cache->length() + n);
    }
  }
  return bytes;
}

namespace {

// The buffers of one call and the arrays handed out at its end.
class Call {
 public:
  Call(Model& model, const Request& request) : model_(model), plan_(model.plan()), request_(request) {
    for (const Sequence& s : request.sequences) {
      first_.push_back(total_);
      total_ += static_cast<int64_t>(s.ids.size());
      first_logit_.push_back(logits_);
      logits_ += logit_rows(request, s);
    }
    const int64_t V = model.config().d_vocab;
    if (logits_) out_.logits_buffer = model.pool().take(static_cast<size_t>(logits_) * V * 4);
    for (size_t i = 0; i < request.sequences.size(); ++i) {
      out_.logit_rows.push_back(logit_rows(request, request.sequences[i]));
      out_.logits.push_back(logits_ ? out_.logits_buffer->floats() + first_logit_[i] * V : nullptr);
    }
    rows_.resize(plan_.values().size());
    maps_.resize(plan_.values().size());
    for (ValueId id : own_buffers(plan_, request)) {
      const Value& v = plan_.values()[id];
      if (v.kind == ValueKind::rows) rows_[id] = model.pool().take(static_cast<size_t>(total_) * v.width * 4);
      if (v.kind == ValueKind::pattern)
        for (const Sequence& s : request.sequences) maps_[id].push_back(model.pool().take(map_floats(v, s) * 4));
    }
  }

  int64_t total() const { return total_; }
  int64_t first(size_t sequence) const { return first_[sequence]; }
  float* logits(int64_t row) const { return out_.logits_buffer ? out_.logits_buffer->floats() + row * model_.config().d_vocab : nullptr; }
  int64_t first_logit(size_t sequence) const { return first_logit_[sequence]; }

  // Points the run at this chunk's rows of every value.
  void bind(Run& run, Buffer& arena, int64_t first_row, int64_t arena_rows) const {
    const auto& values = plan_.values();
    run.value.assign(values.size(), nullptr);
    run.tapped.assign(values.size(), 0);
    run.pattern.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      ValueId id = static_cast<ValueId>(i);
      run.pattern[i].clear();
      if (values[i].kind == ValueKind::pattern)
        for (const auto& buffer : maps_[i]) run.pattern[i].push_back(buffer->floats());
      if (values[i].kind != ValueKind::rows) continue;
      if (!request_.edits.count(id)) id = plan_.root(id);
      run.tapped[i] = rows_[id] != nullptr;
      run.value[i] = rows_[id] ? rows_[id]->floats() + first_row * values[i].width
                               : arena.floats() + plan_.offset(id) * arena_rows;
    }
  }

  // Shows the hooked values of a finished stage to the hooks. The call is one chunk then.
  void hooks(const Run& run, const Stage& stage) const {
    for (ValueId id : stage.writes) {
      if (!request_.edits.count(id)) continue;
      const Value& v = plan_.values()[id];
      for (size_t i = 0; i < request_.sequences.size(); ++i) {
        const Sequence& s = request_.sequences[i];
        const int64_t n = static_cast<int64_t>(s.ids.size());
        Edit edit{id, static_cast<int>(i), nullptr, nullptr, {}};
        if (v.kind == ValueKind::pattern) {
          edit.buffer = maps_[id][i];
          edit.data = run.pattern[id][i];
          edit.shape = {v.dims[0].second, n, s.cache->length() + n};
        } else if (v.kind == ValueKind::logits) {
          if (!out_.logit_rows[i]) continue;
          edit.buffer = out_.logits_buffer;
          edit.data = out_.logits[i];
          edit.shape = {out_.logit_rows[i], v.width};
        } else {
          edit.buffer = rows_[id];
          edit.data = rows_[id]->floats() + first_[i] * v.width;
          edit.shape = shape_of(v, n);
        }
        request_.on_edit(edit);
        if (v.kind == ValueKind::pattern) check_map(v, edit, s.cache->length());
      }
    }
  }

  Output finish() {
    for (ValueId id : request_.taps) {
      const Value& v = plan_.values()[id];
      const ValueId at = request_.edits.count(id) ? id : plan_.root(id);
      for (size_t i = 0; i < request_.sequences.size(); ++i) {
        const Sequence& s = request_.sequences[i];
        const int64_t n = static_cast<int64_t>(s.ids.size());
        Traced t{id, static_cast<int>(i), nullptr, nullptr, {}};
        if (v.kind == ValueKind::logits) {
          if (!out_.logit_rows[i]) continue;
          t.buffer = out_.logits_buffer;
          t.data = out_.logits[i];
          t.shape = {out_.logit_rows[i], v.width};
        } else if (v.kind == ValueKind::pattern) {
          t.buffer = maps_[at][i];
          t.data = t.buffer->floats();
          t.shape = {v.dims[0].second, n, s.cache->length() + n};
          if (!s.positions.empty()) pick(t, s.positions, 1);
        } else {
          t.buffer = rows_[at];
          t.data = t.buffer->floats() + first_[i] * v.width;
          t.shape = shape_of(v, n);
          if (!s.positions.empty()) pick(t, s.positions, 0);
        }
        out_.traced.push_back(std::move(t));
      }
    }
    return std::move(out_);
  }

 private:
  static std::vector<int64_t> shape_of(const Value& v, int64_t rows) {
    std::vector<int64_t> shape = {rows};
    for (const auto& d : v.dims) shape.push_back(d.second);
    return shape;
  }

  // Keeps the chosen rows of `axis` in a buffer of their own.
  void pick(Traced& t, const std::vector<int64_t>& positions, size_t axis) const {
    int64_t outer = 1, inner = 1;
    for (size_t a = 0; a < axis; ++a) outer *= t.shape[a];
    for (size_t a = axis + 1; a < t.shape.size(); ++a) inner *= t.shape[a];
    const int64_t n = static_cast<int64_t>(positions.size());
    auto kept = model_.pool().take(static_cast<size_t>(outer * n * inner) * 4);
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t k = 0; k < n; ++k)
        std::memcpy(kept->floats() + (o * n + k) * inner, t.data + (o * t.shape[axis] + positions[k]) * inner, inner * 4);
    t.buffer = kept;
    t.data = kept->floats();
    t.shape[axis] = n;
  }

  // A hook must leave masked keys masked: 0 in a pattern, -inf in scores.
  void check_map(const Value& v, const Edit& e, int64_t past) const {
    const bool scores = v.name.size() > 6 && v.name.compare(v.name.size() - 6, 6, "scores") == 0;
    const float masked = scores ? -std::numeric_limits<float>::infinity() : 0.0f;
    const int64_t window = model_.config().layers[v.layer].window, keys = e.shape[2];
    for (int64_t h = 0; h < e.shape[0]; ++h)
      for (int64_t q = 0; q < e.shape[1]; ++q) {
        const int64_t at = past + q, lo = window ? std::max<int64_t>(0, at - window + 1) : 0;
        const float* row = e.data + (h * e.shape[1] + q) * keys;
        for (int64_t key = 0; key < keys; ++key)
          if ((key < lo || key > at) && !(row[key] == masked))
            throw ArgumentError(text("the hook on {} returned {} at head {}, query {}, key {}, which is masked; expected {}",
                                     v.name, row[key], h, q, key, scores ? "-inf" : "0"));
      }
  }

  Model& model_;
  const Plan& plan_;
  const Request& request_;
  Output out_;
  int64_t total_ = 0, logits_ = 0;
  std::vector<int64_t> first_, first_logit_;
  std::vector<std::shared_ptr<Buffer>> rows_;                 // by value: [total, width]
  std::vector<std::vector<std::shared_ptr<Buffer>>> maps_;    // by value, then sequence
};

// Cuts rows [begin, end) of the flattened call into parts of sequences, with their tokens and positions.
void set_rows(Run& run, const Call& call, const Request& request, int64_t begin, int64_t end,
              std::vector<int32_t>& tokens, std::vector<int64_t>& positions) {
  run.rows = end - begin;
  run.parts.clear();
  run.head_rows.clear();
  tokens.clear();
  positions.clear();
  for (size_t i = 0; i < request.sequences.size(); ++i) {
    const Sequence& s = request.sequences[i];
    const int64_t n = static_cast<int64_t>(s.ids.size()), at = call.first(i);
    const int64_t from = std::max(begin, at) - at, to = std::min(end, at + n) - at;
    if (from >= to) continue;
    SequencePart part;
    part.cache = s.cache;
    part.first_row = at + from - begin;
    part.rows = to - from;
    part.position = s.cache->length() + from;
    part.first_query = from;
    part.n_queries = n;
    part.n_keys = s.cache->length() + n;
    part.index = static_cast<int>(i);
    run.parts.push_back(part);
    for (int64_t k = from; k < to; ++k) {
      tokens.push_back(s.ids[k]);
      positions.push_back(s.cache->length() + k);
      if (request.logits == LogitRows::all || (request.logits == LogitRows::last && k == n - 1))
        run.head_rows.push_back(at + k - begin);
    }
  }
  run.tokens = tokens.data();
  run.positions = positions.data();
}

}  // namespace

Output Model::forward(const Request& request) {
  check_request(request);
  const int n_threads = usable_threads(threads);
  const int64_t total = total_rows(request), rows = chunk_for(request, total);
  if (const uint64_t need = estimate(request); need > kSmall) {
    if (need > available_bytes()) pool_.trim();   // buffers of earlier calls that wait for the next one
    if (const uint64_t have = available_bytes(); need > have)
      throw MemoryLimitError(text("this call needs about {} MiB and {} MiB are free; trace fewer names, "
                                  "ask for the last row's logits, or shorten the prompt", need >> 20, have >> 20));
  }

  struct Restore {   // a failed or cancelled call leaves every cache as it was
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
  run.overflow = false;
  const size_t arena_bytes = static_cast<size_t>(rows * plan_.arena_width()) * 4;
  if (!state->arena || state->arena->bytes() < arena_bytes) state->arena = pool_.take(arena_bytes);
  const size_t int8_bytes = static_cast<size_t>(rows) * plan_.max_cols * 2 + 4096;
  if (!state->int8 || state->int8->bytes() < int8_bytes) state->int8 = pool_.take(int8_bytes);
  run.shared_int8.codes = static_cast<int8_t*>(state->int8->data());
  int64_t keys = 0;
  for (const Sequence& s : request.sequences) keys = std::max(keys, s.cache->length() + static_cast<int64_t>(s.ids.size()));
  const size_t scratch = std::max({prepare_scratch(plan_.max_cols), attention_scratch(config_, keys), plan_.max_cols * 64});
  run.scratch.resize(std::max<size_t>(run.scratch.size(), n_threads));
  for (auto& s : run.scratch)
    if (s.size() < scratch) s.resize(scratch);
  run.cos_at.clear();
  int64_t angles = 0;
  for (const Rope& r : config_.ropes) run.cos_at.push_back(angles), angles += 2 * rows * static_cast<int64_t>(r.inv_freq.size());
  if (static_cast<int64_t>(run.cos_sin.size()) < angles) run.cos_sin.resize(angles);

  std::vector<Stage> hooked;
  if (!request.edits.empty())
    for (const auto& phase : plan_.phases()) phase->schedule(request.edits, hooked);
  const std::vector<Stage>& stages = request.edits.empty() ? stages_ : hooked;
  int64_t done_logits = 0;
  for (int64_t begin = 0; begin < total; begin += rows) {
    const int64_t end = std::min(total, begin + rows);
    set_rows(run, call, request, begin, end, state->tokens, state->positions);
    call.bind(run, *state->arena, begin, rows);
    run.value[logits_] = call.logits(done_logits);
    done_logits += static_cast<int64_t>(run.head_rows.size());
    run.tasks[0] = run.tasks[1] = 0;
    Executor(stages, run, n_threads, request.edits).go([&](const Stage* stage) {
      if (request.check) request.check();
      if (stage) call.hooks(run, *stage);
    });
    if (run.overflow)
      throw ArgumentError("a key or value is beyond the range of float16, in which int8 mode keeps the KV cache; "
                          "load the model with compute='float32'");
  }
  give_state(std::move(state));
  Output out = call.finish();
  for (const Sequence& s : request.sequences) s.cache->commit(static_cast<int64_t>(s.ids.size()));
  restore.done = true;
  return out;
}

}  // namespace cutaway
