#include "model/call.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/error.h"

namespace cutaway {

int64_t total_rows(const Request& request) {
  int64_t n = 0;
  for (const Sequence& s : request.sequences) n += static_cast<int64_t>(s.ids.size());
  return n;
}

int64_t logit_rows(const Request& request, const Sequence& s) {
  return request.logits == LogitRows::none   ? 0
         : request.logits == LogitRows::last ? 1
                                             : static_cast<int64_t>(s.ids.size());
}

std::vector<ValueId> own_buffers(const Plan& plan, const Request& request) {
  std::vector<ValueId> out;
  const auto add = [&](ValueId id) {
    if (!request.hooks.count(id)) id = plan.root(id);
    if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
  };
  for (ValueId id : request.taps)
    if (plan.values()[id].kind != ValueKind::logits) add(id);
  for (ValueId id : request.hooks)
    if (plan.values()[id].kind != ValueKind::logits) add(id);
  return out;
}

KeptQueries::KeptQueries(const Sequence& s) : queries(s.positions), row_of(s.ids.size(), -1) {
  if (queries.empty()) {
    queries.resize(s.ids.size());
    std::iota(queries.begin(), queries.end(), 0);
  }
  std::sort(queries.begin(), queries.end());
  queries.erase(std::unique(queries.begin(), queries.end()), queries.end());
  for (size_t i = 0; i < queries.size(); ++i) row_of[queries[i]] = static_cast<int64_t>(i);
}

int64_t map_floats(const Request& request, ValueId id, const Value& v, const Sequence& s) {
  const int64_t n = static_cast<int64_t>(s.ids.size());
  const int64_t rows = request.hooks.count(id) ? n : static_cast<int64_t>(KeptQueries(s).queries.size());
  return v.dims[0].second * rows * (s.cache->length() + n);
}

namespace {

std::vector<int64_t> shape_of(const Value& v, int64_t rows) {
  std::vector<int64_t> shape = {rows};
  for (const auto& d : v.dims) shape.push_back(d.second);
  return shape;
}

}  // namespace

Call::Call(Model& model, const Request& request) : model_(model), plan_(model.plan()), request_(request) {
  for (const Sequence& s : request.sequences) {
    kept_.emplace_back(s);
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
      for (const Sequence& s : request.sequences)
        maps_[id].push_back(model.pool().take(map_floats(request, id, v, s) * 4));
  }
}

void Call::bind(Run& run, Buffer& arena, int64_t first_row, int64_t arena_rows) const {
  const auto& values = plan_.values();
  run.value.assign(values.size(), nullptr);
  run.tapped.assign(values.size(), 0);
  run.ring.assign(values.size(), 0);
  float* const brief = arena.floats() + plan_.arena_width(false) * arena_rows;
  run.pattern.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    ValueId id = static_cast<ValueId>(i);
    run.pattern[i].clear();
    if (values[i].kind == ValueKind::pattern)
      for (size_t k = 0; k < maps_[i].size(); ++k) run.pattern[i].push_back(map_of(id, k));
    if (values[i].kind != ValueKind::rows) continue;
    if (!request_.hooks.count(id)) id = plan_.root(id);
    run.tapped[i] = rows_[id] != nullptr;
    run.ring[i] = !rows_[id] && plan_.brief(id);
    run.value[i] = rows_[id]     ? rows_[id]->floats() + first_row * values[i].width
                   : run.ring[i] ? brief + plan_.offset(id) * run.ring_rows
                                 : arena.floats() + plan_.offset(id) * arena_rows;
  }
}

// A hook sees every query.
Map Call::map_of(ValueId id, size_t sequence) const {
  float* const data = maps_[id][sequence]->floats();
  const KeptQueries& kept = kept_[sequence];
  const int64_t n = static_cast<int64_t>(kept.row_of.size()),
                n_kept = static_cast<int64_t>(kept.queries.size());
  if (request_.hooks.count(id) || n_kept == n) return {data, n, nullptr};
  return {data, n_kept, kept.row_of.data()};
}

void Call::hooks(Run& run, const Stage& stage) {
  for (ValueId id : stage.writes) {
    if (!request_.hooks.count(id)) continue;
    const Value& v = plan_.values()[id];
    for (size_t i = 0; i < request_.sequences.size(); ++i) {
      const Sequence& s = request_.sequences[i];
      const int64_t n = static_cast<int64_t>(s.ids.size());
      Hooked shown{id, static_cast<int>(i), nullptr, nullptr, {}};
      if (v.kind == ValueKind::pattern) {
        shown.buffer = maps_[id][i];
        shown.data = run.pattern[id][i].data;
        shown.shape = {v.dims[0].second, n, s.cache->length() + n};
      } else if (v.kind == ValueKind::logits) {
        if (!out_.logit_rows[i]) continue;
        shown.buffer = out_.logits_buffer;
        shown.data = out_.logits[i];
        shown.shape = {out_.logit_rows[i], v.width};
      } else {
        shown.buffer = rows_[id];
        shown.data = rows_[id]->floats() + first_[i] * v.width;
        shown.shape = shape_of(v, n);
      }
      if (request_.on_hook(shown)) {
        replace_buffer(run, id, i);
        if (v.kind == ValueKind::pattern) shown.data = run.pattern[id][i].data;
      }
      if (v.kind == ValueKind::pattern) check_map(v, shown, s.cache->length());
    }
  }
}

void Call::replace_buffer(Run& run, ValueId id, size_t sequence) {
  const ValueKind kind = plan_.values()[id].kind;
  std::shared_ptr<Buffer>& held = kind == ValueKind::pattern  ? maps_[id][sequence]
                                  : kind == ValueKind::logits ? out_.logits_buffer
                                                              : rows_[id];
  const float* const before = held->floats();
  auto fresh = model_.pool().take(held->bytes());
  std::memcpy(fresh->data(), held->data(), held->bytes());
  held = std::move(fresh);
  // Everything that pointed into the old buffer: aliases, maps, logits.
  const auto moved = [&](float*& p) { p = held->floats() + (p - before); };
  if (kind == ValueKind::pattern) {
    moved(run.pattern[id][sequence].data);
  } else if (kind == ValueKind::logits) {
    for (float*& p : out_.logits)
      if (p) moved(p);
    moved(run.value[id]);
  } else {
    for (float*& p : run.value)
      if (p == before) moved(p);
  }
}

Output Call::finish() {
  for (ValueId id : request_.taps) {
    const Value& v = plan_.values()[id];
    if (v.kind == ValueKind::derived) continue;
    const ValueId at = request_.hooks.count(id) ? id : plan_.root(id);
    for (size_t i = 0; i < request_.sequences.size(); ++i) {
      const Sequence& s = request_.sequences[i];
      const int64_t n = static_cast<int64_t>(s.ids.size());
      Traced t{id, static_cast<int>(i), nullptr, nullptr, {}};
      if (v.kind == ValueKind::logits) {
        if (!out_.logit_rows[i]) continue;
        t.buffer = out_.logits_buffer;
        t.data = out_.logits[i];
        t.shape = {out_.logit_rows[i], v.width};
        if (!s.positions.empty() && out_.logit_rows[i] == n) pick(t, s.positions, 0);
      } else if (v.kind == ValueKind::pattern) {
        const Map map = map_of(at, i);
        t.buffer = maps_[at][i];
        t.data = map.data;
        t.shape = {v.dims[0].second, map.rows, s.cache->length() + n};
        std::vector<int64_t> rows = s.positions;
        if (map.row_of)
          std::transform(rows.begin(), rows.end(), rows.begin(), [&](int64_t q) { return map.row_of[q]; });
        // Nothing to copy where the map has these rows in this order.
        if (!rows.empty() && !(map.row_of && s.positions == kept_[i].queries)) pick(t, rows, 1);
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

void Call::pick(Traced& t, const std::vector<int64_t>& positions, size_t axis) const {
  int64_t outer = 1, inner = 1;
  for (size_t a = 0; a < axis; ++a) outer *= t.shape[a];
  for (size_t a = axis + 1; a < t.shape.size(); ++a) inner *= t.shape[a];
  const int64_t n = static_cast<int64_t>(positions.size());
  auto kept = model_.pool().take(static_cast<size_t>(outer * n * inner) * 4);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t k = 0; k < n; ++k)
      std::memcpy(kept->floats() + (o * n + k) * inner, t.data + (o * t.shape[axis] + positions[k]) * inner,
                  inner * 4);
  t.buffer = kept;
  t.data = kept->floats();
  t.shape[axis] = n;
}

void Call::check_map(const Value& v, const Hooked& e, int64_t past) const {
  const int64_t window = model_.config().layers[v.layer].window, keys = e.shape[2];
  for (int64_t h = 0; h < e.shape[0]; ++h) {
    if (request_.check) request_.check();
    for (int64_t q = 0; q < e.shape[1]; ++q) {
      const int64_t at = past + q, lo = window ? std::max<int64_t>(0, at - window + 1) : 0;
      const float* row = e.data + (h * e.shape[1] + q) * keys;
      for (int64_t key = 0; key < keys; ++key)
        if ((key < lo || key > at) && !(row[key] == v.masked))
          throw ArgumentError(
              text("the hook on {} returned {} at head {}, query {}, key {}, which is masked; expected {}",
                   v.name, row[key], h, q, key, v.masked));
    }
  }
}

void Call::set_rows(Run& run, int64_t begin, int64_t end, std::vector<int32_t>& tokens,
                    std::vector<int64_t>& positions) const {
  run.rows = end - begin;
  run.parts.clear();
  run.head_rows.clear();
  tokens.clear();
  positions.clear();
  for (size_t i = 0; i < request_.sequences.size(); ++i) {
    const Sequence& s = request_.sequences[i];
    const int64_t n = static_cast<int64_t>(s.ids.size()), at = first_[i];
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
      if (request_.logits == LogitRows::all || (request_.logits == LogitRows::last && k == n - 1))
        run.head_rows.push_back(at + k - begin);
    }
  }
  run.tokens = tokens.data();
  run.positions = positions.data();
}

}  // namespace cutaway
