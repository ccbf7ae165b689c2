#include "tokenizer/hf/splitting.h"

#include <algorithm>

#include "core/error.h"
#include "format/utf8.h"

namespace cutaway::hf {

Behavior read_behavior(const Part& part, std::string_view name) {
  static constexpr std::pair<const char*, Behavior> kNames[] = {
      {"Removed", Behavior::removed},
      {"Isolated", Behavior::isolated},
      {"MergedWithPrevious", Behavior::merged_with_previous},
      {"MergedWithNext", Behavior::merged_with_next},
      {"Contiguous", Behavior::contiguous},
  };
  const std::string given = part.string(name);
  std::string all;
  for (const auto& [known, behavior] : kNames) {
    if (given == known) return behavior;
    all += (all.empty() ? "" : ", ") + std::string(known);
  }
  part.fail(text("member '{}' is '{}', expected one of: {}", name, format::shown(given), all));
}

void cut_stretches(std::vector<Stretch>& stretches, Behavior behavior, std::vector<Pretoken>& out) {
  const size_t first = out.size();
  const auto put = [&](const Stretch& s) { out.push_back({s.begin, s.end, s.rule}); };
  bool before = false;  // was the stretch before this one, in the order of going, a match?
  switch (behavior) {
    case Behavior::isolated:
      for (const Stretch& s : stretches) put(s);
      break;
    case Behavior::removed:
      for (const Stretch& s : stretches) {
        if (!s.match) put(s);
      }
      break;
    case Behavior::contiguous:
      for (const Stretch& s : stretches) {
        if (s.match == before && out.size() > first) {
          out.back().end = s.end;
        } else {
          put(s);
        }
        before = s.match;
      }
      break;
    case Behavior::merged_with_previous:
      for (const Stretch& s : stretches) {
        if (s.match && !before && out.size() > first) {
          out.back().end = s.end;
        } else {
          put(s);
        }
        before = s.match;
      }
      break;
    case Behavior::merged_with_next:
      for (size_t i = stretches.size(); i-- > 0;) {
        const Stretch& s = stretches[i];
        if (s.match && !before && out.size() > first) {
          out.back().begin = s.begin;
        } else {
          put(s);
        }
        before = s.match;
      }
      std::reverse(out.begin() + first, out.end());
      break;
  }
  out.erase(
      std::remove_if(out.begin() + first, out.end(), [](const Pretoken& p) { return p.begin == p.end; }),
      out.end());
}

}  // namespace cutaway::hf
