// Subtracts f times the number of times an id was seen so far from its logit (OpenAI's frequency_penalty).
// 0 is off, below 0 rewards repetition.
#include "sample/stage.h"

namespace cutaway {
namespace {

class FrequencyPenalty final : public Stage {
 public:
  explicit FrequencyPenalty(const Params& params) : params_(params), f_(params.only()) {}

  void apply(Candidates& c, const History& history) const override {
    if (f_ == 0 || history.empty()) return;
    for (const auto& [id, count] : history) {
      const int64_t i = c.index_of(id);
      if (i >= 0) c.logits[i] -= static_cast<double>(count) * f_;
    }
    c.rescored();
    require_finite(params_, c);
  }
  bool reads_history() const override { return true; }

 private:
  Params params_;
  double f_;
};

}  // namespace

std::unique_ptr<Stage> make_frequency_penalty(const Params& params) {
  return std::make_unique<FrequencyPenalty>(params);
}

}  // namespace cutaway
