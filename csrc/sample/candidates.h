// The tokens that can still be drawn, in ascending id order, and their logits. Stages edit this list in
// place.
#pragma once
#include <cstdint>
#include <vector>

namespace cutaway {

// Sum of x[0..n): 16 lane sums (x[i] goes to lane i % 16, ascending), then lanes 8 apart, 4, 2, 1. A fixed
// order, so the same bits on every machine; sixteen chains, so it vectorises.
double lane_sum(const double* x, int64_t n);

class Candidates {
 public:
  std::vector<int32_t> ids;    // [n] ascending
  std::vector<double> logits;  // [n]

  // Takes one row of logits [d_vocab]. A logit of -inf is a masked token: no candidate. NaN, +inf and a row
  // with nothing left are refused.
  template <class T>
  void load(const T* row, int64_t d_vocab);

  int64_t size() const { return static_cast<int64_t>(ids.size()); }
  int64_t index_of(int32_t id) const;  // -1 when id is not a candidate

  const double*
  weights();  // [n] exp(logit - largest logit): probabilities relative to the largest. Kept until rescored.
  double largest();  // the largest logit
  double total();    // lane_sum(weights): probability i is weights()[i] / total()
  void rescored();   // to be called by a stage that changed logits

  // Keeps the candidates i with keep(i) true (asked once each, ascending). At least one with the largest
  // logit must stay, or the caller says rescored().
  template <class Keep>
  void keep_if(Keep keep) {
    int64_t kept = 0;
    const int64_t n = size();
    for (int64_t i = 0; i < n; ++i) {
      if (!keep(i)) continue;
      ids[kept] = ids[i];
      logits[kept] = logits[i];
      if (weighted_) weights_[kept] = weights_[i];
      ++kept;
    }
    ids.resize(kept);
    logits.resize(kept);
    if (weighted_) weights_.resize(kept);
    if (kept != n) summed_ = false;
  }

 private:
  std::vector<double> weights_;
  double largest_ = 0, total_ = 0;
  bool weighted_ = false, summed_ = false;
};

}  // namespace cutaway
