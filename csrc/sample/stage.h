// One stage of a sampler: it edits the candidates' logits or removes candidates. A new stage is one file that
// defines make_<name>, and one line in samplers.def.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sample/candidates.h"

namespace cutaway {

// What the penalties see: the distinct ids of the text so far, ascending, each with its count.
using History = std::vector<std::pair<int32_t, int64_t>>;

class Stage {
 public:
  virtual ~Stage() = default;
  virtual void apply(Candidates& candidates, const History& history) const = 0;
  virtual bool reads_history() const { return false; }
};

// The numbers written behind a stage's name. Stages check them in their constructor.
struct Params {
  std::string stage;
  std::vector<double> values;
  double only() const;  // the one value of a stage that has one; anything but one finite number is refused
};

#define SAMPLER(name) std::unique_ptr<Stage> make_##name(const Params& params);
#include "sample/samplers.def"
#undef SAMPLER

std::unique_ptr<Stage> make_stage(const Params& params);  // by name; an unknown name lists the known ones
std::vector<std::string> stage_names();                   // in the order of samplers.def

// For stages that change logits: refuses a result that overflowed float64.
void require_finite(const Params& params, const Candidates& candidates);

}  // namespace cutaway
