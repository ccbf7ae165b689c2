// Nucleus sampling (Holtzman, Buys, Du, Forbes, Choi 2020): the smallest set of most probable candidates
// whose probabilities, summed in float64 from the largest down, reach p; ties take the lower id first. The
// token that reaches p stays, so at least one does. p = 1 is off, whatever rounding does to the sum.
#include <algorithm>

#include "core/error.h"
#include "sample/stage.h"

namespace cutaway {
namespace {

class TopP final : public Stage {
 public:
  explicit TopP(const Params& params) : p_(params.only()) {
    if (!(p_ > 0 && p_ <= 1)) {
      throw ArgumentError(
          text("top_p must be above 0 and at most 1 (1 is off), got {}.{}", p_,
               p_ > 1 && p_ <= 100 ? text(" It is a share: {} % is written {}.", p_, p_ / 100) : ""));
    }
  }

  void apply(Candidates& c, const History&) const override {
    if (p_ == 1) return;
    const double* w = c.weights();  // in [0, 1], the largest is 1
    const double total = c.total();
    const auto before = [w](int64_t a, int64_t b) { return w[a] > w[b] || (w[a] == w[b] && a < b); };
    // Bands of falling weight are sorted one at a time until the sum is reached: the tail is never sorted.
    std::vector<int64_t> band;
    double sum = 0;
    for (double above = 2, floor = 0x1p-4; above > 0;
         above = floor, floor = floor > 0x1p-64 ? floor * 0x1p-4 : 0) {
      band.clear();
      for (int64_t i = 0; i < c.size(); ++i) {
        if (w[i] >= floor && w[i] < above) band.push_back(i);
      }
      std::sort(band.begin(), band.end(), before);
      for (int64_t last : band) {
        sum += w[last] / total;
        if (sum < p_) continue;
        const double edge = w[last];
        c.keep_if([&, edge, last](int64_t i) { return w[i] > edge || (w[i] == edge && i <= last); });
        return;
      }
    }
  }

 private:
  double p_;
};

}  // namespace

std::unique_ptr<Stage> make_top_p(const Params& params) { return std::make_unique<TopP>(params); }

}  // namespace cutaway
