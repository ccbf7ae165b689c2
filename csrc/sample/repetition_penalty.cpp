// CTRL's penalty (Keskar et al. 2019, section 4.1) as Transformers applies it: the logit of every id seen so
// far is divided by p where positive and multiplied by p otherwise, once per id however often it was seen. 1
// is off, below 1 rewards repetition.
#include "core/error.h"
#include "sample/stage.h"

namespace cutaway {
namespace {

class RepetitionPenalty final : public Stage {
 public:
  explicit RepetitionPenalty(const Params& params) : params_(params), p_(params.only()) {
    if (!(p_ > 0)) {
      throw ArgumentError(
          text("repetition_penalty must be above 0 (1 is off, usual values are 1.0 to 1.3), got {}.", p_));
    }
  }

  void apply(Candidates& c, const History& history) const override {
    if (p_ == 1 || history.empty()) return;
    for (const auto& [id, count] : history) {
      const int64_t i = c.index_of(id);
      if (i >= 0) c.logits[i] = c.logits[i] > 0 ? c.logits[i] / p_ : c.logits[i] * p_;
    }
    c.rescored();
    require_finite(params_, c);
  }
  bool reads_history() const override { return true; }

 private:
  Params params_;
  double p_;
};

}  // namespace

std::unique_ptr<Stage> make_repetition_penalty(const Params& params) {
  return std::make_unique<RepetitionPenalty>(params);
}

}  // namespace cutaway
