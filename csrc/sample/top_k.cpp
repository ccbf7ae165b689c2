// Keeps the k largest logits (Fan, Lewis, Dauphin 2018); ties keep the lower id, so a fixed seed gives a
// fixed token. k = 0 is off.
#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.h"
#include "sample/stage.h"

namespace cutaway {
namespace {

// The k-th largest value, 1 <= k <= values.size(). A small k is a heap over one pass; nothing is ever fully
// sorted.
double kth_largest(const std::vector<double>& values, int64_t k) {
  if (k <= 512) {
    std::vector<double> top(k);
    std::partial_sort_copy(values.begin(), values.end(), top.begin(), top.end(), std::greater<>());
    return top.back();
  }
  std::vector<double> copy = values;
  std::nth_element(copy.begin(), copy.begin() + (k - 1), copy.end(), std::greater<>());
  return copy[k - 1];
}

class TopK final : public Stage {
 public:
  explicit TopK(const Params& params) {
    const double k = params.only();
    if (k < 0 || k != std::floor(k) || k > 0x1p53) {
      throw ArgumentError(text("top_k must be a whole number, 0 (off) or greater, got {}.", k));
    }
    k_ = static_cast<int64_t>(k);
  }

  void apply(Candidates& c, const History&) const override {
    if (k_ == 0 || k_ >= c.size()) return;
    const double threshold = kth_largest(c.logits, k_);
    int64_t ties = k_;  // how many logits equal to the threshold still fit
    for (double logit : c.logits) ties -= logit > threshold;
    c.keep_if([&](int64_t i) { return c.logits[i] > threshold || (c.logits[i] == threshold && ties-- > 0); });
  }

 private:
  int64_t k_;
};

}  // namespace

std::unique_ptr<Stage> make_top_k(const Params& params) { return std::make_unique<TopK>(params); }

}  // namespace cutaway
