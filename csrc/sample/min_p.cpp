// Keeps the candidates at least m times as probable as the most probable one (Nguyen et al., "Turning up the
// heat: min-p sampling", 2024). 0 is off; 1 keeps only the most probable one and its exact ties.
#include "core/error.h"
#include "sample/stage.h"

namespace cutaway {
namespace {

class MinP final : public Stage {
 public:
  explicit MinP(const Params& params) : m_(params.only()) {
    if (!(m_ >= 0 && m_ <= 1)) {
      throw ArgumentError(
          text("min_p must be between 0 (off) and 1, got {}.{}", m_,
               m_ > 1 && m_ <= 100 ? text(" It is a share: {} % is written {}.", m_, m_ / 100) : ""));
    }
  }

  void apply(Candidates& c, const History&) const override {
    if (m_ == 0) return;
    const double* w = c.weights();  // probability / largest probability: no sum is needed
    c.keep_if([w, m = m_](int64_t i) { return w[i] >= m; });
  }

 private:
  double m_;
};

}  // namespace

std::unique_ptr<Stage> make_min_p(const Params& params) { return std::make_unique<MinP>(params); }

}  // namespace cutaway
