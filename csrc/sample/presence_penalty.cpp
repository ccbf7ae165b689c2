// Subtracts a from the logit of every id seen so far, once however often it was seen (OpenAI's
// presence_penalty). 0 is off, below 0 rewards repetition.
#include "sample/stage.h"

namespace cutaway {
namespace {

class PresencePenalty final : public Stage {
 public:
  explicit PresencePenalty(const Params& params) : params_(params), a_(params.only()) {}

  void apply(Candidates& c, const History& history) const override {
    if (a_ == 0 || history.empty()) return;
    for (const auto& [id, count] : history) {
      const int64_t i = c.index_of(id);
      if (i >= 0) c.logits[i] -= a_;
    }
    c.rescored();
    require_finite(params_, c);
  }
  bool reads_history() const override { return true; }

 private:
  Params params_;
  double a_;
};

}  // namespace

std::unique_ptr<Stage> make_presence_penalty(const Params& params) {
  return std::make_unique<PresencePenalty>(params);
}

}  // namespace cutaway
