#include "model/plan.h"

#include <algorithm>

namespace cutaway {

ValueId Plan::name(Value value) {
  value.first_phase = value.last_phase = static_cast<int>(phases_.size());
  if (value.width == 0) {
    value.width = 1;
    for (const auto& d : value.dims) value.width *= d.second;
  }
  values_.push_back(std::move(value));
  return static_cast<ValueId>(values_.size()) - 1;
}

void Plan::reads(ValueId id) {
  for (; id != kNoValue; id = values_[id].same_as)
    values_[id].last_phase = std::max(values_[id].last_phase, static_cast<int>(phases_.size()));
}

std::vector<Stage> Plan::schedule(const Hooks& hooks) const {
  std::vector<Stage> stages;
  for (size_t i = 0; i < phases_.size(); ++i) {
    const size_t first = stages.size();
    phases_[i]->schedule(hooks, stages);
    for (size_t s = first; s < stages.size(); ++s) stages[s].phase = static_cast<int>(i);
  }
  const auto hooked = [&](const Stage& s) {
    return std::any_of(s.writes.begin(), s.writes.end(), [&](ValueId id) { return hooks.count(id) > 0; });
  };
  for (size_t s = stages.size(); s-- > 0;) {
    const bool goes_on = s + 1 < stages.size() && stages[s].by_row && stages[s + 1].by_row;
    stages[s].chain_end = goes_on && !hooked(stages[s]) ? stages[s + 1].chain_end : s + 1;
  }
  return stages;
}

ValueId Plan::find(const std::string& name) const {
  for (size_t i = 0; i < values_.size(); ++i)
    if (values_[i].name == name) return static_cast<ValueId>(i);
  return kNoValue;
}

ValueId Plan::root(ValueId id) const {
  while (values_[id].same_as != kNoValue) id = values_[id].same_as;
  return id;
}

void Plan::finish() {
  struct Hole {
    int64_t offset, width;
    int free_from = 0;
    int64_t stride = 0;  // of the value that was there last
  };
  // The chain that all of a phase is part of, by its last stage; -1: none.
  std::vector<int64_t> chain(phases_.size() + 1, -1);
  const std::vector<Stage> stages = schedule({});
  for (const Stage& s : stages) {
    const int64_t of = s.by_row ? static_cast<int64_t>(s.chain_end) : -1;
    const bool first = &s == stages.data() || (&s)[-1].phase != s.phase;
    chain[s.phase] = first || chain[s.phase] == of ? of : -1;
  }
  std::vector<Hole> holes[2];
  offsets_.assign(values_.size(), -1);
  brief_.assign(values_.size(), 0);
  for (size_t i = 0; i < values_.size(); ++i) {
    const Value& v = values_[i];
    if (v.kind != ValueKind::rows) continue;
    // An alias has a buffer of its own as well, for the case that it is hooked.
    const int64_t width = (v.width + 15) / 16 * 16;
    brief_[i] = chain[v.first_phase] >= 0 && chain[v.first_phase] == chain[v.last_phase];
    const bool in = brief(static_cast<ValueId>(i));
    // A thread may still be in an earlier phase of the chain, with other rows: only rows of the same width
    // are in its way nowhere.
    const auto free = [&](const Hole& h) {
      const bool same_chain = chain[v.first_phase] >= 0 && chain[h.free_from] == chain[v.first_phase];
      return h.free_from < v.first_phase && (!same_chain || h.stride == v.width);
    };
    Hole* best = nullptr;
    for (Hole& h : holes[in])
      if (free(h) && h.width >= width && (!best || h.width < best->width)) best = &h;
    if (!best) {
      holes[in].push_back({arena_width_[in], width});
      arena_width_[in] += width;
      best = &holes[in].back();
    }
    best->free_from = v.last_phase;
    best->stride = v.width;
    offsets_[i] = best->offset;
  }
}

}  // namespace cutaway
