// Divides every logit by t: below 1 sharpens the distribution, above 1 flattens it. t = 0 is the limit,
// greedy: only the largest logit stays, ties keep the lower id.
#include "core/error.h"
#include "sample/stage.h"

namespace cutaway {
namespace {

class Temperature final : public Stage {
 public:
  explicit Temperature(const Params& params) : params_(params), t_(params.only()) {
    if (t_ < 0) {
      throw ArgumentError(
          text("temperature must be 0 (greedy) or greater, got {}. Usual values are 0.2 to 1.5.", t_));
    }
  }

  void apply(Candidates& c, const History&) const override {
    if (t_ == 1) return;
    if (t_ == 0) {
      int64_t best = 0;
      for (int64_t i = 1; i < c.size(); ++i) best = c.logits[i] > c.logits[best] ? i : best;
      c.keep_if([best](int64_t i) { return i == best; });
      return;
    }
    for (double& logit : c.logits) logit /= t_;
    c.rescored();
    require_finite(params_, c);
  }

 private:
  Params params_;
  double t_;
};

}  // namespace

std::unique_ptr<Stage> make_temperature(const Params& params) {
  return std::make_unique<Temperature>(params);
}

}  // namespace cutaway
