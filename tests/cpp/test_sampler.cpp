// Stages as tables of in -> out, the draw, the ledger's numbers, and what is refused.
#include "sample/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "caller_word.h"
#include "core/error.h"
#include "core/philox.h"

namespace cutaway {
namespace {

using Chain = std::vector<Params>;
constexpr float kInf = std::numeric_limits<float>::infinity();

// The logits of a distribution: log p.
std::vector<double> logits_of(std::initializer_list<double> probabilities) {
  std::vector<double> logits;
  for (double p : probabilities) logits.push_back(std::log(p));
  return logits;
}

LogitsRow row(const std::vector<float>& logits) {
  return {logits.data(), nullptr, static_cast<int64_t>(logits.size())};
}
LogitsRow row(const std::vector<double>& logits) {
  return {nullptr, logits.data(), static_cast<int64_t>(logits.size())};
}

template <class T>
std::vector<double> probs(const Chain& chain, const std::vector<T>& logits, std::vector<int64_t> seen = {}) {
  std::vector<double> out(logits.size(), -1.0);
  Sampler(chain, 0).probs(row(logits), seen, out.data());
  return out;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], 1e-5) << "entry " << i;
    EXPECT_EQ(got[i] == 0, expected[i] == 0) << "entry " << i;
  }
}

const std::vector<double> k1234 = logits_of({0.1, 0.2, 0.3, 0.4});

TEST(Stages, TopK) {
  expect_near(probs({{"top_k", {1}}}, k1234), {0, 0, 0, 1});
  expect_near(probs({{"top_k", {3}}}, k1234), {0, 0.22222, 0.33333, 0.44444});
  expect_near(probs({{"top_k", {4}}}, k1234), {0.1, 0.2, 0.3, 0.4});
  expect_near(probs({{"top_k", {1e9}}}, k1234), {0.1, 0.2, 0.3, 0.4});
  expect_near(probs({{"top_k", {0}}}, k1234), {0.1, 0.2, 0.3, 0.4});
  expect_near(probs({{"top_k", {2}}}, logits_of({0.2, 0.3, 0.3, 0.2})), {0, 0.5, 0.5, 0});
  expect_near(probs({{"top_k", {3}}}, logits_of({0.2, 0.3, 0.3, 0.2})),
              {0.25, 0.375, 0.375, 0});  // the lower id
}

TEST(Stages, TopP) {
  expect_near(probs({{"top_p", {1e-9}}}, k1234), {0, 0, 0, 1});  // always at least one
  expect_near(probs({{"top_p", {0.39}}}, k1234), {0, 0, 0, 1});
  expect_near(probs({{"top_p", {0.41}}}, k1234), {0, 0, 0.42857, 0.57143});
  expect_near(probs({{"top_p", {0.75}}}, k1234), {0, 0.22222, 0.33333, 0.44444});
  expect_near(probs({{"top_p", {0.95}}}, k1234), {0.1, 0.2, 0.3, 0.4});
  expect_near(probs({{"top_p", {1}}}, k1234), {0.1, 0.2, 0.3, 0.4});
  // Exact quarters: 0.5 is reached by two of the four ties, the lower ids.
  expect_near(probs({{"top_p", {0.5}}}, logits_of({1, 1, 1, 1})), {0.5, 0.5, 0, 0});
}

TEST(Stages, MinP) {
  expect_near(probs({{"min_p", {0}}}, k1234), {0.1, 0.2, 0.3, 0.4});
  expect_near(probs({{"min_p", {0.26}}}, k1234), {0, 0.22222, 0.33333, 0.44444});
  expect_near(probs({{"min_p", {0.74}}}, k1234), {0, 0, 0.42857, 0.57143});
  expect_near(probs({{"min_p", {1}}}, k1234), {0, 0, 0, 1});
  expect_near(probs({{"min_p", {1}}}, logits_of({0.4, 0.2, 0.4})), {0.5, 0, 0.5});
}

TEST(Stages, Temperature) {
  expect_near(probs({{"temperature", {1}}}, k1234), {0.1, 0.2, 0.3, 0.4});
  expect_near(probs({{"temperature", {0.5}}}, k1234), {0.03333, 0.13333, 0.3, 0.53333});  // squares
  expect_near(probs({{"temperature", {0}}}, k1234), {0, 0, 0, 1});
  expect_near(probs({{"temperature", {0}}}, logits_of({0.2, 0.4, 0.4})), {0, 1, 0});  // the lower id
  expect_near(probs({{"temperature", {1e-9}}}, k1234), {0, 0, 0, 1});
}

TEST(Stages, Penalties) {
  const std::vector<float> logits = {2, -2, 2, 0};
  const std::vector<int64_t> seen = {0, 1, 0, 0};
  const auto softmax = [](std::vector<double> x) {
    double total = 0;
    for (double& v : x) total += v = std::exp(v);
    for (double& v : x) v /= total;
    return x;
  };
  expect_near(probs({{"repetition_penalty", {2}}}, logits, seen),
              softmax({1, -4, 2, 0}));  // once, by its sign
  expect_near(probs({{"presence_penalty", {0.5}}}, logits, seen), softmax({1.5, -2.5, 2, 0}));
  expect_near(probs({{"frequency_penalty", {0.5}}}, logits, seen),
              softmax({0.5, -2.5, 2, 0}));  // three times, once
  expect_near(probs({{"frequency_penalty", {0.5}}}, logits), softmax({2, -2, 2, 0}));
  // A penalty on a token that an earlier stage removed does nothing.
  expect_near(probs({{"top_k", {2}}, {"presence_penalty", {9}}}, logits, {1, 3}), {0.5, 0, 0.5, 0});
}

TEST(Chain, TheOrderWrittenIsTheOrderRun) {
  const auto logits = logits_of({0.1, 0.2, 0.3, 0.4});
  expect_near(probs({{"temperature", {0.5}}, {"top_p", {0.8}}}, logits), {0, 0, 0.36, 0.64});
  expect_near(probs({{"top_p", {0.8}}, {"temperature", {0.5}}}, logits), {0, 0.13793, 0.31034, 0.55172});
}

TEST(Chain, MaskedTokensAreNoCandidates) {
  const std::vector<float> logits = {-kInf, 1, -kInf, 1};
  expect_near(probs({}, logits), {0, 0.5, 0, 0.5});
  expect_near(probs({{"top_k", {3}}}, logits), {0, 0.5, 0, 0.5});
  expect_near(probs({{"repetition_penalty", {2}}}, logits, {0, 2}), {0, 0.5, 0, 0.5});
  Record record;
  const Sampler sampler({{"min_p", {0}}}, 1);
  sampler.draw(row(logits), {}, 0, &record);
  EXPECT_EQ(record.stages[0].candidates_in, 2);
}

TEST(Draw, FirstIdWhoseCumulativeProbabilityExceedsU) {
  const std::vector<float> logits(4, 0.0f);  // exact quarters
  const Sampler sampler({}, 42);
  for (uint64_t step = 0; step < 200; ++step) {
    const double u = uniform53(42, step);
    EXPECT_EQ(sampler.sample(row(logits), {}, step), static_cast<int32_t>(u * 4));
  }
}

TEST(Draw, ATokenOfNoProbabilityIsNeverDrawn) {
  const std::vector<float> logits = {-2000, 5, -2000};
  const Sampler sampler({}, 3);
  for (uint64_t step = 0; step < 100; ++step) EXPECT_EQ(sampler.sample(row(logits), {}, step), 1);
}

TEST(Draw, LogProbabilities) {
  const Sampler sampler({{"top_k", {2}}}, 9);
  for (uint64_t step = 0; step < 20; ++step) {
    const Choice c = sampler.draw(row(k1234), {}, step);
    EXPECT_NEAR(c.logprob, std::log(c.token == 2 ? 0.3 : 0.4), 1e-15);
    EXPECT_NEAR(c.sampled_logprob, std::log(c.token == 2 ? 3.0 / 7 : 4.0 / 7), 1e-15);
    EXPECT_EQ(c.token, sampler.sample(row(k1234), {}, step));
  }
}

TEST(Ledger, StagesAndDraw) {
  const Sampler sampler({{"temperature", {1}}, {"top_k", {2}}, {"temperature", {0}}}, 9);
  Record record;
  sampler.draw(row(k1234), {}, 5, &record);
  ASSERT_EQ(record.stages.size(), 3u);
  const double h4 = -(0.1 * std::log(0.1) + 0.2 * std::log(0.2) + 0.3 * std::log(0.3) + 0.4 * std::log(0.4));
  const double h2 = -(3.0 / 7 * std::log(3.0 / 7) + 4.0 / 7 * std::log(4.0 / 7));
  const StageRecord &same = record.stages[0], &top_k = record.stages[1], &greedy = record.stages[2];
  EXPECT_EQ(same.mass_removed, 0.0);
  EXPECT_NEAR(same.entropy_before, h4, 1e-14);
  EXPECT_EQ(same.entropy_after, same.entropy_before);
  EXPECT_EQ(top_k.name, "top_k");
  EXPECT_EQ(top_k.values, std::vector<double>{2});
  EXPECT_EQ(top_k.candidates_in, 4);
  EXPECT_EQ(top_k.candidates_out, 2);
  EXPECT_NEAR(top_k.mass_removed, 0.3, 1e-15);
  EXPECT_NEAR(top_k.entropy_after, h2, 1e-14);
  EXPECT_NEAR(top_k.top_before, 0.4, 1e-15);
  EXPECT_NEAR(top_k.top_after, 4.0 / 7, 1e-15);
  EXPECT_NEAR(greedy.mass_removed, 3.0 / 7, 1e-15);
  EXPECT_EQ(greedy.entropy_after, 0.0);
  EXPECT_EQ(record.draw.u, uniform53(9, 5));
  EXPECT_EQ(record.draw.token, 3);
  EXPECT_EQ(record.draw.low, 0.0);
  EXPECT_EQ(record.draw.high, 1.0);
  EXPECT_EQ(record.draw.probability, 1.0);
  EXPECT_NEAR(record.draw.probability_before, 0.4, 1e-15);
  EXPECT_EQ(record.draw.rank_before, 1);
}

TEST(Ledger, RankCountsTiesByLowerId) {
  const std::vector<float> logits = {1, 2, 2, 2};
  const Sampler sampler({}, 1);
  for (uint64_t step = 0; step < 50; ++step) {
    Record record;
    const int32_t token = sampler.draw(row(logits), {}, step, &record).token;
    EXPECT_EQ(record.draw.rank_before, token == 0 ? 4 : token);
    EXPECT_LE(record.draw.low, record.draw.u);
    EXPECT_LT(record.draw.u, record.draw.high);
  }
}

TEST(Determinism, CallersRoundingAndFlushToZeroDoNotMatter) {
  std::vector<float> logits(5000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = static_cast<float>(std::sin(static_cast<double>(i)) * 30);
  logits[7] = 1e-40f;  // a subnormal
  const Sampler sampler({{"temperature", {0.9}}, {"top_p", {0.99}}}, 5);
  std::vector<double> plain(5000), strange(5000);
  Record a, b;
  sampler.probs(row(logits), {}, plain.data());
  sampler.draw(row(logits), {}, 1, &a);
  bool kept;
  {
    const testing::CallerWord word;
    sampler.probs(row(logits), {}, strange.data());
    sampler.draw(row(logits), {}, 1, &b);
    kept = word.kept();
  }
  EXPECT_TRUE(kept);
  EXPECT_EQ(plain, strange);
  EXPECT_EQ(a.draw.token, b.draw.token);
  EXPECT_EQ(a.draw.low, b.draw.low);
  EXPECT_EQ(a.draw.sampled_logprob, b.draw.sampled_logprob);
  EXPECT_EQ(a.stages[1].entropy_after, b.stages[1].entropy_after);
}

TEST(Determinism, OneSamplerManyThreads) {
  std::vector<float> logits(3000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = static_cast<float>(std::cos(static_cast<double>(i)) * 4);
  const Sampler sampler({{"temperature", {0.8}}, {"top_k", {100}}, {"min_p", {0.01}}}, 11);
  std::vector<int32_t> expected(64);
  for (uint64_t step = 0; step < 64; ++step) expected[step] = sampler.sample(row(logits), {}, step);
  std::vector<std::vector<int32_t>> got(8, std::vector<int32_t>(64));
  std::vector<std::thread> team;
  for (auto& mine : got) {
    team.emplace_back([&] {
      for (uint64_t step = 0; step < 64; ++step) mine[step] = sampler.sample(row(logits), {}, step);
    });
  }
  for (auto& thread : team) thread.join();
  for (const auto& mine : got) EXPECT_EQ(mine, expected);
}

std::string refusal(const Chain& chain, const std::vector<float>& logits = {1, 2},
                    std::vector<int64_t> seen = {}) {
  try {
    Sampler(chain, 0).sample(row(logits), seen, 0);
  } catch (const ArgumentError& error) { return error.what(); }
  return "nothing was refused";
}

TEST(Refusals, SayWhatIsWrong) {
  const float nan = std::nanf("");
  const double big_nan = std::nan("");
  EXPECT_NE(refusal({}, {1, nan}).find("entry 1 is NaN"), std::string::npos);
  EXPECT_NE(refusal({}, {kInf, 1}).find("entry 0 is +inf"), std::string::npos);
  EXPECT_NE(refusal({}, {-kInf, -kInf}).find("all 2 entries are -inf"), std::string::npos);
  EXPECT_NE(refusal({}, {1, 2}, {0, 2}).find("token id 2 is out of range"), std::string::npos);
  EXPECT_NE(refusal({}, {1, 2}, {-1}).find("token id -1"), std::string::npos);
  EXPECT_NE(refusal({{"temperature", {-0.5}}}).find("got -0.5"), std::string::npos);
  EXPECT_NE(refusal({{"temperature", {big_nan}}}).find("finite"), std::string::npos);
  EXPECT_NE(refusal({{"temperature", {1e-310}}}).find("overflow"), std::string::npos);
  EXPECT_NE(refusal({{"top_p", {0}}}).find("top_p must be above 0"), std::string::npos);
  EXPECT_NE(refusal({{"top_p", {90}}}).find("90 % is written 0.9"), std::string::npos);
  EXPECT_NE(refusal({{"top_k", {-1}}}).find("got -1"), std::string::npos);
  EXPECT_NE(refusal({{"top_k", {2.5}}}).find("whole number"), std::string::npos);
  EXPECT_NE(refusal({{"min_p", {1.5}}}).find("min_p must be between"), std::string::npos);
  EXPECT_NE(refusal({{"repetition_penalty", {0}}}).find("above 0"), std::string::npos);
  EXPECT_NE(refusal({{"frequency_penalty", {1e308}}}, {-1e38f, 0}, {0, 0}).find("overflow"),
            std::string::npos);
  EXPECT_NE(refusal({{"top_a", {1}}}).find("repetition_penalty, presence_penalty"), std::string::npos);
  EXPECT_NE(refusal({{"top_k", {1, 2}}}).find("takes one number"), std::string::npos);
}

}  // namespace
}  // namespace cutaway
