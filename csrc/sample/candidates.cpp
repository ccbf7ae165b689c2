#include "sample/candidates.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/exact_math.h"

namespace cutaway {

double lane_sum(const double* x, int64_t n) {
  double lane[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int j = 0; j < 16; ++j) lane[j] += x[i + j];
  }
  for (int j = 0; i + j < n; ++j) lane[j] += x[i + j];
  for (int width = 8; width > 0; width /= 2) {
    for (int j = 0; j < width; ++j) lane[j] += lane[j + width];
  }
  return lane[0];
}

template <class T>
void Candidates::load(const T* row, int64_t d_vocab) {
  ids.resize(d_vocab);
  logits.resize(d_vocab);
  int64_t n = 0;
  for (int64_t id = 0; id < d_vocab; ++id) {
    const double logit = row[id];
    if (!(logit <= std::numeric_limits<double>::max())) {
      throw ArgumentError(text(
          "logits: entry {} is {}. Every logit must be a number, or -inf for a token that may not be drawn.",
          id, std::isnan(logit) ? "NaN" : "+inf"));
    }
    ids[n] = static_cast<int32_t>(id);
    logits[n] = logit;
    n += logit >= std::numeric_limits<double>::lowest();
  }
  if (n == 0) {
    throw ArgumentError(
        text("logits: all {} entries are -inf, so no token is left to draw. At least one must be a number.",
             d_vocab));
  }
  ids.resize(n);
  logits.resize(n);
  rescored();
}
template void Candidates::load(const float*, int64_t);
template void Candidates::load(const double*, int64_t);

int64_t Candidates::index_of(int32_t id) const {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  return at != ids.end() && *at == id ? at - ids.begin() : -1;
}

const double* Candidates::weights() {
  if (!weighted_) {
    largest_ = *std::max_element(logits.begin(), logits.end());
    weights_.resize(logits.size());
    const double *logit = logits.data(), largest = largest_;  // local, so that the loop vectorises
    double* weight = weights_.data();
    for (int64_t i = 0; i < size(); ++i) weight[i] = exact_exp(logit[i] - largest);
    weighted_ = true;
  }
  return weights_.data();
}

double Candidates::largest() {
  weights();
  return largest_;
}

double Candidates::total() {
  if (!summed_) total_ = lane_sum(weights(), size());
  summed_ = true;
  return total_;
}

void Candidates::rescored() { weighted_ = summed_ = false; }

}  // namespace cutaway
