// A sampler: stages that run in the order written, then one draw. A pure function of (logits, settings, seed,
// step); every sum over the vocabulary runs in float64 in a fixed order, so the same on any machine.
#pragma once
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "sample/stage.h"

namespace cutaway {

// What one stage did. Entropies are in nats; probabilities are softmax over the candidates of that moment.
struct StageRecord {
  std::string name;
  std::vector<double> values;
  int64_t candidates_in = 0, candidates_out = 0;
  double mass_removed = 0;  // probability, before the stage, of the candidates it removed
  double entropy_before = 0, entropy_after = 0;
  double top_before = 0, top_after = 0;  // the largest probability
};

// The draw: u falls into [low, high) of the cumulative distribution over ascending token ids.
struct DrawRecord {
  double u = 0, low = 0, high = 0;
  int32_t token = 0;
  double probability = 0, probability_before = 0;  // after all stages; before any
  int64_t rank_before = 0;  // 1 = the most probable before any stage; ties: the lower id first
  double logprob = 0, sampled_logprob = 0;  // natural logs: raw log-softmax; after all stages
};

struct Record {
  std::vector<StageRecord> stages;
  DrawRecord draw;
};

struct Choice {
  int32_t token = 0;
  double logprob = 0;          // before any stage
  double sampled_logprob = 0;  // after all stages
};

// One row of logits [d_vocab], float32 or float64.
struct LogitsRow {
  const float* f32 = nullptr;
  const double* f64 = nullptr;
  int64_t d_vocab = 0;
};

// Safe to use from several threads at once.
class Sampler {
 public:
  Sampler(const std::vector<Params>& stages, uint64_t seed);
  ~Sampler();

  // seen: the ids of the text so far, which penalties read. step: the number of the draw.
  int32_t sample(LogitsRow row, std::span<const int64_t> seen, uint64_t step) const;
  Choice draw(LogitsRow row, std::span<const int64_t> seen, uint64_t step, Record* record = nullptr) const;
  void probs(LogitsRow row, std::span<const int64_t> seen,
             double* out) const;  // out: [d_vocab], 0 where removed

  bool reads_history() const;

 private:
  struct Workspace;
  class Lease;
  void filter(LogitsRow row, std::span<const int64_t> seen, Workspace& work, Record* record,
              bool want_raw) const;

  std::vector<Params> params_;
  std::vector<std::unique_ptr<Stage>> stages_;
  uint64_t seed_;
  mutable std::mutex idle_lock_;
  mutable std::vector<std::unique_ptr<Workspace>>
      idle_;  // so that a draw allocates nothing of vocabulary size
};

// Natural log-probability of one id under softmax(row), float64. -inf for a masked id.
double log_prob(LogitsRow row, int32_t id);

}  // namespace cutaway
