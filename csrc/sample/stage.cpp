#include "sample/stage.h"

#include <cmath>

#include "core/error.h"

namespace cutaway {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Stage> (*make)(const Params&);
};
constexpr Entry kStages[] = {
#define SAMPLER(name) {#name, &make_##name},
#include "sample/samplers.def"
#undef SAMPLER
};

}  // namespace

double Params::only() const {
  if (values.size() != 1) throw ArgumentError(text("{} takes one number, got {}.", stage, values.size()));
  if (!std::isfinite(values[0]))
    throw ArgumentError(text("{} must be a finite number, got {}.", stage, values[0]));
  return values[0];
}

std::vector<std::string> stage_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kStages) names.push_back(entry.name);
  return names;
}

std::unique_ptr<Stage> make_stage(const Params& params) {
  std::string known;
  for (const Entry& entry : kStages) {
    if (params.stage == entry.name) return entry.make(params);
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  }
  throw ArgumentError(
      text("sampler: there is no stage named '{}'. The stages are: {}.", params.stage, known));
}

void require_finite(const Params& params, const Candidates& candidates) {
  for (int64_t i = 0; i < candidates.size(); ++i) {
    if (std::isfinite(candidates.logits[i])) continue;
    throw ArgumentError(text("{} {} makes the logit of token {} overflow float64. Use a value nearer to 1{}.",
                             params.stage, params.only(), candidates.ids[i],
                             params.stage == "temperature" ? ", or 0 for greedy" : ""));
  }
}

}  // namespace cutaway
