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
    int free_from;
  };
  std::vector<Hole> holes;
  offsets_.assign(values_.size(), -1);
  arena_width_ = 0;
  for (size_t i = 0; i < values_.size(); ++i) {
    const Value& v = values_[i];
    if (v.kind != ValueKind::rows) continue;
    // An alias has a buffer of its own as well, for the case that it is hooked.
    const int64_t width = (v.width + 15) / 16 * 16;
    Hole* best = nullptr;
    for (Hole& h : holes)
      if (h.free_from < v.first_phase && h.width >= width && (!best || h.width < best->width)) best = &h;
    if (!best) {
      holes.push_back({arena_width_, width, 0});
      arena_width_ += width;
      best = &holes.back();
    }
    best->free_from = v.last_phase;
    offsets_[i] = best->offset;
  }
}

}  // namespace cutaway
