#include "sample/sampler.h"

#include <limits>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/exact_math.h"
#include "core/float_environment.h"
#include "core/philox.h"

namespace cutaway {

constexpr size_t kIdle = 4;  // workspaces kept between calls

struct Sampler::Workspace {
  Candidates candidates;
  History history;
  double raw_largest = 0, raw_total = 0;  // of the row before any stage
  std::vector<int32_t> ids;               // the candidates before a stage, when recording
  std::vector<double> probabilities, terms;
};

// Borrows a workspace for one call.
class Sampler::Lease {
 public:
  explicit Lease(const Sampler& sampler) : sampler_(sampler) {
    const std::lock_guard<std::mutex> lock(sampler_.idle_lock_);
    if (!sampler_.idle_.empty()) {
      work_ = std::move(sampler_.idle_.back());
      sampler_.idle_.pop_back();
    }
    if (!work_) work_ = std::make_unique<Workspace>();
  }
  ~Lease() {
    const std::lock_guard<std::mutex> lock(sampler_.idle_lock_);
    if (sampler_.idle_.size() < kIdle) sampler_.idle_.push_back(std::move(work_));
  }
  Workspace& operator*() { return *work_; }

 private:
  const Sampler& sampler_;
  std::unique_ptr<Workspace> work_;
};

namespace {

// The distinct ids seen, ascending, with their counts.
void count_ids(std::span<const int64_t> seen, int64_t d_vocab, History& history) {
  history.clear();
  for (int64_t id : seen) {
    if (id < 0 || id >= d_vocab) {
      throw ArgumentError(
          text("ids: token id {} is out of range. The logits have {} entries, so ids run from 0 to {}.", id,
               d_vocab, d_vocab - 1));
    }
    history.emplace_back(static_cast<int32_t>(id), 1);
  }
  std::sort(history.begin(), history.end());
  size_t distinct = 0;
  for (size_t i = 0; i < history.size(); ++i) {
    if (distinct > 0 && history[distinct - 1].first == history[i].first) {
      ++history[distinct - 1].second;
    } else {
      history[distinct++] = history[i];
    }
  }
  history.resize(distinct);
}

// Entropy in nats: log(total) - sum of p (logit - largest). A weight of 0 adds nothing.
double entropy(Candidates& c, std::vector<double>& terms) {
  const double *w = c.weights(), total = c.total(), largest = c.largest();
  terms.resize(c.size());
  for (int64_t i = 0; i < c.size(); ++i) terms[i] = w[i] > 0 ? w[i] / total * (c.logits[i] - largest) : 0.0;
  return exact_log(total) - lane_sum(terms.data(), c.size());
}

template <class F>
[[gnu::noinline]] auto call_apart(F& f) {
  return f();
}

// f() in the floating-point environment of the contract. The arithmetic runs in a function of its own:
// compilers may move floating-point operations across a write of the control word, but not across this call.
template <class F>
auto with_exact_floats(F f) {
  const FloatEnvironment guard;
  return call_apart(f);
}

// The first candidate whose cumulative probability exceeds u; the last one with any probability ends at 1, so
// rounding leaves no gap. Returns its index and its interval.
int64_t locate(Candidates& c, double u, double& low, double& high) {
  const double *w = c.weights(), total = c.total();
  int64_t last = c.size() - 1;
  while (w[last] == 0) --last;
  double sum = 0;
  for (int64_t i = 0; i < last; ++i) {
    low = sum;
    sum += w[i] / total;
    if (sum > u) {
      high = sum;
      return i;
    }
  }
  low = sum;
  high = 1;
  return last;
}

int64_t rank_of(LogitsRow row, int32_t token) {
  const auto count = [&](const auto* logits) {
    int64_t rank = 1;
    for (int64_t id = 0; id < row.d_vocab; ++id) {
      rank += logits[id] > logits[token] || (logits[id] == logits[token] && id < token);
    }
    return rank;
  };
  return row.f32 ? count(row.f32) : count(row.f64);
}

}  // namespace

Sampler::Sampler(const std::vector<Params>& stages, uint64_t seed) : params_(stages), seed_(seed) {
  for (const Params& params : stages) stages_.push_back(make_stage(params));
  idle_.reserve(kIdle);
}
Sampler::~Sampler() = default;

bool Sampler::reads_history() const {
  return std::any_of(stages_.begin(), stages_.end(),
                     [](const auto& stage) { return stage->reads_history(); });
}

// Loads the row and runs the stages.
void Sampler::filter(LogitsRow row, std::span<const int64_t> seen, Workspace& work, Record* record,
                     bool want_raw) const {
  Candidates& c = work.candidates;
  if (row.f32) {
    c.load(row.f32, row.d_vocab);
  } else {
    c.load(row.f64, row.d_vocab);
  }
  count_ids(seen, row.d_vocab, work.history);
  if (want_raw) {
    work.raw_largest = c.largest();
    work.raw_total = c.total();
  }
  for (size_t s = 0; s < stages_.size(); ++s) {
    if (!record) {
      stages_[s]->apply(c, work.history);
      continue;
    }
    StageRecord r{.name = params_[s].stage, .values = params_[s].values, .candidates_in = c.size()};
    r.entropy_before = s > 0 ? record->stages.back().entropy_after : entropy(c, work.terms);
    r.top_before = 1.0 / c.total();
    work.ids = c.ids;
    work.probabilities.resize(c.size());
    for (int64_t i = 0; i < c.size(); ++i) work.probabilities[i] = c.weights()[i] / c.total();
    stages_[s]->apply(c, work.history);
    for (size_t i = 0, kept = 0; i < work.ids.size(); ++i) {
      const bool stays = kept < c.ids.size() && c.ids[kept] == work.ids[i];
      if (stays) work.probabilities[i] = 0;
      kept += stays;
    }
    r.mass_removed = lane_sum(work.probabilities.data(), static_cast<int64_t>(work.probabilities.size()));
    r.candidates_out = c.size();
    r.entropy_after = entropy(c, work.terms);
    r.top_after = 1.0 / c.total();
    record->stages.push_back(std::move(r));
  }
}

int32_t Sampler::sample(LogitsRow row, std::span<const int64_t> seen, uint64_t step) const {
  return with_exact_floats([&] {
    Lease lease(*this);
    filter(row, seen, *lease, nullptr, false);
    Candidates& c = (*lease).candidates;
    double low, high;
    return c.ids[locate(c, uniform53(seed_, step), low, high)];
  });
}

Choice Sampler::draw(LogitsRow row, std::span<const int64_t> seen, uint64_t step, Record* record) const {
  return with_exact_floats([&] {
    Lease lease(*this);
    Workspace& work = *lease;
    if (record) *record = {};
    filter(row, seen, work, record, true);
    Candidates& c = work.candidates;
    DrawRecord d{.u = uniform53(seed_, step)};
    const int64_t at = locate(c, d.u, d.low, d.high);
    d.token = c.ids[at];
    const double raw = row.f32 ? row.f32[d.token] : row.f64[d.token];
    d.logprob = raw - work.raw_largest - exact_log(work.raw_total);
    d.sampled_logprob = c.logits[at] - c.largest() - exact_log(c.total());
    if (record) {
      d.probability = c.weights()[at] / c.total();
      d.probability_before = exact_exp(raw - work.raw_largest) / work.raw_total;
      d.rank_before = rank_of(row, d.token);
      record->draw = d;
    }
    return Choice{d.token, d.logprob, d.sampled_logprob};
  });
}

void Sampler::probs(LogitsRow row, std::span<const int64_t> seen, double* out) const {
  with_exact_floats([&] {
    Lease lease(*this);
    filter(row, seen, *lease, nullptr, false);
    Candidates& c = (*lease).candidates;
    std::fill(out, out + row.d_vocab, 0.0);
    for (int64_t i = 0; i < c.size(); ++i) out[c.ids[i]] = c.weights()[i] / c.total();
  });
}

double log_prob(LogitsRow row, int32_t id) {
  if (id < 0 || id >= row.d_vocab)
    throw ArgumentError(text("token id {} is not in the vocabulary, expected 0 to {}", id, row.d_vocab - 1));
  return with_exact_floats([&] {
    Candidates c;
    row.f32 ? c.load(row.f32, row.d_vocab) : c.load(row.f64, row.d_vocab);
    const int64_t at = c.index_of(id);
    return at < 0 ? -std::numeric_limits<double>::infinity()
                  : c.logits[at] - c.largest() - exact_log(c.total());
  });
}

}  // namespace cutaway
