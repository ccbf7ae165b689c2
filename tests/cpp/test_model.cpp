// A whole model of two layers with every weight type, odd sizes, a sliding window, soft-caps and
// norms everywhere: its logits have the same bits for any instruction set, threads, chunks, neighbours, cache
// and hooks.
#include "model/model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <thread>

#include "caller_word.h"
#include "core/error.h"
#include "format/ggml_types.h"
#include "format_files.h"
#include "kernel_data.h"

namespace cutaway::testing {
namespace {

constexpr int64_t kVocab = 111;

// Weights small enough that values stay near 1.
std::string small_blocks(Random& random, const Quant& q, int64_t n) {
  std::vector<uint8_t> bytes = random_blocks(random, q, n, Scales::ordinary);
  for (size_t block = 0; q.integer && block < bytes.size(); block += q.block_bytes)
    set_scales(q, &bytes[block], q.block == 256 ? -13 : -9, static_cast<uint16_t>(random()));
  for (int64_t i = 0; std::string(q.name) == "F32" && i < n; ++i) {
    const float w = 1.0f + 0.1f * number(random, Numbers::normal);
    std::memcpy(&bytes[4 * i], &w, 4);
  }
  return {bytes.begin(), bytes.end()};
}

std::string tiny_gemma3() {
  struct Tensor {
    std::string name, type;
    int64_t cols, rows;
  };
  const int64_t d = 256, heads = 8, kv = 2, d_head = 20, mlp = 96;
  std::vector<Tensor> tensors = {{"token_embd.weight", "Q6_K", d, kVocab},
                                 {"output_norm.weight", "F32", d, 0}};
  for (int i : {0, 1}) {
    const std::string at = "blk." + std::to_string(i) + ".";
    for (const char* norm : {"attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"})
      tensors.push_back({at + norm + ".weight", "F32", d, 0});
    for (const char* norm : {"attn_q_norm", "attn_k_norm"})
      tensors.push_back({at + norm + ".weight", "F32", d_head, 0});
    tensors.push_back({at + "attn_q.weight", i ? "Q3_K" : "Q8_0", d, heads * d_head});
    tensors.push_back({at + "attn_k.weight", i ? "BF16" : "Q2_K", d, kv * d_head});
    tensors.push_back({at + "attn_v.weight", i ? "IQ4_XS" : "F16", d, kv * d_head});
    tensors.push_back({at + "attn_output.weight", i ? "Q5_0" : "Q5_1", heads * d_head, d});
    tensors.push_back({at + "ffn_gate.weight", i ? "Q4_1" : "Q4_K", d, mlp});
    tensors.push_back({at + "ffn_up.weight", i ? "Q4_0" : "Q5_K", d, mlp});
    tensors.push_back({at + "ffn_down.weight", i ? "IQ4_NL" : "MXFP4", mlp, d});
  }
  Bytes out = gguf_head(tensors.size(), 13);
  const auto number = [&](const std::string& key, uint32_t v) { out.str("gemma3." + key).u32(kU32).u32(v); };
  const auto real = [&](const std::string& key, float v) { out.str("gemma3." + key).u32(kF32).put(v); };
  out.str("general.architecture").u32(kString).str("gemma3");
  number("block_count", 2);
  number("embedding_length", d);
  number("attention.head_count", heads);
  number("attention.head_count_kv", kv);
  number("attention.key_length", d_head);
  number("feed_forward_length", mlp);
  number("context_length", 512);
  number("attention.sliding_window", 9);
  number("attention.sliding_window_pattern", 2);
  real("attention.layer_norm_rms_epsilon", 1e-6f);
  real("attn_logit_softcapping", 50.0f);
  real("final_logit_softcapping", 30.0f);
  Random random(1);
  Bytes data;
  for (const Tensor& t : tensors) {
    const Table& k = scalar();
    const Quant* q =
        std::find_if(k.quants, k.quants + k.n_quants, [&](const Quant& x) { return t.type == x.name; });
    out.str(t.name).u32(t.rows ? 2 : 1).u64(t.cols);
    if (t.rows) out.u64(t.rows);
    out.u32(ggml_type(t.type)->id).u64(data.s.size());
    data.raw(small_blocks(random, *q, t.cols * std::max<int64_t>(t.rows, 1))).pad(32);
  }
  return out.pad(32).raw(data.s).s;
}

class ModelTest : public ::testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() { file = new TempFile("tiny.gguf", tiny_gemma3()); }
  static void TearDownTestSuite() { delete file; }

  static std::shared_ptr<Model> load(const std::string& isa, int threads = 1) {
    const auto m = Model::load(file->path(), {threads, GetParam(), 0, isa, "", "", {}});
    m->meeting_ms = 0;  // small as it is, it shall run on as many threads as it is told to
    return m;
  }
  static std::vector<int32_t> ids(int64_t n, int seed) {
    std::vector<int32_t> out;
    for (int64_t i = 0; i < n; ++i)
      out.push_back(static_cast<int32_t>((i * i * 7 + i * 13 + seed * 31) % kVocab));
    return out;
  }
  // All logits of one prompt in a fresh cache.
  static std::vector<float> logits(Model& m, const std::vector<int32_t>& x) {
    KvCache cache = m.new_cache();
    return append(m, cache, x);
  }
  static std::vector<float> append(Model& m, KvCache& cache, const std::vector<int32_t>& x) {
    Request r;
    r.sequences = {{&cache, x, {}}};
    const Output out = m.forward(r);
    return {out.logits[0], out.logits[0] + x.size() * kVocab};
  }
  static ::testing::AssertionResult equal(const std::vector<float>& got, const std::vector<float>& want) {
    if (got.size() != want.size()) return ::testing::AssertionFailure() << got.size() << " values";
    return SameBits(got.data(), want.data(), static_cast<int64_t>(want.size()));
  }
  static inline TempFile* file = nullptr;
};

TEST_P(ModelTest, SameBitsForInstructionSetsThreadsAndChunks) {
  const std::vector<int32_t> x = ids(90, 0);
  const std::vector<float> want = logits(*load("scalar"), x);
  EXPECT_TRUE(std::all_of(want.begin(), want.end(),
                          [](float v) { return std::isfinite(v) && std::fabs(v) <= 30.0f; }));
  EXPECT_GT(*std::max_element(want.begin(), want.end()), 0.1f);
  for (const std::string& isa : isas()) {
    const auto m = load(isa, 3);  // packed by three threads
    EXPECT_EQ(m->compute(), GetParam());
    for (auto [threads, chunk] : {std::pair{1, 1}, {2, 7}, {4, 64}, {3, 0}}) {
      m->threads = threads, m->chunk = chunk;
      EXPECT_TRUE(equal(logits(*m, x), want)) << isa << " threads " << threads << " chunk " << chunk;
    }
  }
}

// FNV-1a over bytes.
uint64_t hash_of(const void* data, size_t n) {
  uint64_t h = 0xCBF29CE484222325u;
  for (size_t i = 0; i < n; ++i) h = (h ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001B3u;
  return h;
}

// What this very model said where the scalar kernels ran on x86: every machine says it.
TEST_P(ModelTest, SameBitsOnEveryMachine) {
  const std::string bytes = tiny_gemma3();
  ASSERT_EQ(hash_of(bytes.data(), bytes.size()), 0xA621C7462B7424C3u) << "the model is another one";
  const uint64_t want = std::string(GetParam()) == "int8" ? 0x458EE5DAC42B9C2Cu : 0xA0B652C1B723C017u;
  for (const std::string& isa : isas()) {
    const std::vector<float> y = logits(*load(isa, 2), ids(90, 0));
    EXPECT_EQ(hash_of(y.data(), y.size() * sizeof(float)), want) << isa;
  }
}

TEST_P(ModelTest, SameBitsForNeighboursAndCaches) {
  const auto m = load(isas().back(), 2);
  const std::vector<int32_t> a = ids(70, 0), b = ids(1, 1), c = ids(23, 2);
  const std::vector<float> want_a = logits(*m, a), want_b = logits(*m, b), want_c = logits(*m, c);
  KvCache ka = m->new_cache(), kb = m->new_cache(), kc = m->new_cache();
  Request r;
  r.sequences = {{&ka, a, {}}, {&kb, b, {}}, {&kc, c, {}}};
  m->chunk = 16;
  const Output out = m->forward(r);
  EXPECT_TRUE(SameBits(out.logits[0], want_a.data(), want_a.size()));
  EXPECT_TRUE(SameBits(out.logits[1], want_b.data(), want_b.size()));
  EXPECT_TRUE(SameBits(out.logits[2], want_c.data(), want_c.size()));

  // In pieces; from a fork whose other end went elsewhere; after a truncation.
  KvCache pieces = m->new_cache();
  for (auto [from, to] : {std::pair{0, 1}, {1, 18}, {18, 66}, {66, 70}})
    EXPECT_TRUE(equal(append(*m, pieces, {a.begin() + from, a.begin() + to}),
                      {want_a.begin() + from * kVocab, want_a.begin() + to * kVocab}))
        << from;
  KvCache fork = pieces.fork();
  fork.truncate(65);
  append(*m, fork, ids(9, 5));
  pieces.truncate(65);
  EXPECT_TRUE(
      equal(append(*m, pieces, {a.begin() + 65, a.end()}), {want_a.begin() + 65 * kVocab, want_a.end()}));
}

// Hooks that change nothing cut every stage that can be cut; traces give every value a buffer of its own.
TEST_P(ModelTest, SameBitsWithEveryHookAndEveryTrace) {
  for (const std::string& isa : isas()) {
    const auto m = load(isa, 2);
    const std::vector<int32_t> x = ids(21, 3);
    const std::vector<float> want = logits(*m, x);
    KvCache hooked = m->new_cache(), traced = m->new_cache();
    Request r;
    r.sequences = {{&hooked, x, {}}};
    int seen = 0;
    r.on_hook = [&](const Hooked&) {
      ++seen;
      return false;
    };
    Request t;
    t.sequences = {{&traced, x, {}}};
    const auto& values = m->plan().values();
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i].replaceable) r.hooks.insert(static_cast<ValueId>(i));
      if (values[i].kind != ValueKind::derived && !values[i].name.empty())
        t.taps.push_back(static_cast<ValueId>(i));
    }
    Output out = m->forward(r);
    EXPECT_EQ(seen, static_cast<int>(r.hooks.size()));
    EXPECT_TRUE(SameBits(out.logits[0], want.data(), want.size())) << isa << ", hooked";
    out = m->forward(t);
    EXPECT_EQ(out.traced.size(), t.taps.size());
    EXPECT_TRUE(SameBits(out.logits[0], want.data(), want.size())) << isa << ", traced";
  }
}

TEST_P(ModelTest, CallsFromSeveralThreads) {
  const auto m = load(isas().back(), 2);
  const std::vector<int32_t> x = ids(40, 4);
  const std::vector<float> want = logits(*m, x);
  std::vector<std::vector<float>> got(3);
  std::vector<std::thread> callers;
  for (auto& out : got) callers.emplace_back([&] { out = logits(*m, x); });
  for (auto& t : callers) t.join();
  for (const auto& out : got) EXPECT_TRUE(equal(out, want));
}

TEST_P(ModelTest, ACancelledCallLeavesTheCacheAsItWas) {
  const auto m = load(isas().back(), 2);
  const std::vector<int32_t> x = ids(80, 6);
  const std::vector<float> want = logits(*m, x);
  KvCache cache = m->new_cache();
  append(*m, cache, {x.begin(), x.begin() + 30});
  Request r;
  r.sequences = {{&cache, {x.begin() + 30, x.end()}, {}}};
  m->chunk = 16;
  int checks = 0;
  r.check = [&] {
    if (++checks == 3) throw Error("stop");
  };
  EXPECT_THROW(m->forward(r), Error);
  EXPECT_EQ(cache.length(), 30);
  EXPECT_EQ(cache.n_blocks(), 1);
  EXPECT_TRUE(equal(append(*m, cache, {x.begin() + 30, x.end()}), {want.begin() + 30 * kVocab, want.end()}));
}

// With a look after every part there are at least as many looks as the work, counted here from the weights
// and by the kernels' pace, has parts of the planned length; and the logits are the same.
TEST_P(ModelTest, LooksForSignalsAsOftenAsTheWorkHasParts) {
  const auto m = load("scalar");
  const Table& k = scalar();
  constexpr double kPartMs = 0.5;  // so short that tiles are cut as well
  double row_ms = 0, head_ms = 0;
  for (const Matrix& w : m->weights().matrices) {
    const bool int8 = m->compute() == "int8" && k.quants[w.quant].integer;
    (w.rows == kVocab ? head_ms : row_ms) +=
        static_cast<double>(w.rows * w.cols) / (int8 ? k.int8_per_ms : k.f32_per_ms);
  }
  const int64_t n = 120, d_head = 20, heads = 8;
  const double attention_ms = n * (n + 1) / 2 * heads * d_head * 2.0 / k.f32_per_ms;  // of the global layer
  const std::vector<int32_t> x = ids(n, 8);
  const std::vector<float> want = logits(*m, x);
  for (int threads : {1, 2}) {
    m->threads = threads;
    for (const bool hooked : {false, true}) {  // a hooked call is one chunk
      std::map<LogitRows, int> looks;
      for (LogitRows rows : {LogitRows::none, LogitRows::all}) {
        KvCache cache = m->new_cache();
        Request r;
        r.sequences = {{&cache, x, {}}};
        r.logits = rows;
        r.pacing = {kPartMs, 0};
        r.check = [&] { ++looks[rows]; };
        r.on_hook = [](const Hooked&) { return false; };
        if (hooked) r.hooks = {m->plan().find("blocks.1.attn.pattern"), m->plan().find("blocks.1.mlp.pre")};
        const Output out = m->forward(r);
        if (rows == LogitRows::all) { EXPECT_TRUE(SameBits(out.logits[0], want.data(), want.size())); }
      }
      const double part_ms = kPartMs * threads;
      EXPECT_GE(looks[LogitRows::none], (n * row_ms + attention_ms) / part_ms) << threads << hooked;
      EXPECT_GE(looks[LogitRows::all] - looks[LogitRows::none], n * head_ms / part_ms) << threads << hooked;
    }
  }
}

// Values share memory only one after the other; inside a chain, where a thread may still be in an earlier
// phase with other rows, only when their rows lie in the same places.
TEST_P(ModelTest, ValuesThatShareMemoryNeverMeet) {
  const auto m = load("scalar");
  const Plan& plan = m->plan();
  std::vector<size_t> chain(plan.phases().size() + 1, 0);  // by phase; 0: none
  for (const Stage& s : plan.schedule({}))
    if (s.by_row) chain[s.phase] = s.chain_end;
  int64_t shared = 0, brief = 0;
  for (size_t i = 0; i < plan.values().size(); ++i)
    for (size_t j = 0; j < plan.values().size(); ++j) {
      const ValueId x = static_cast<ValueId>(i), y = static_cast<ValueId>(j);
      const Value &a = plan.values()[i], &b = plan.values()[j];
      if (x == y || a.kind != ValueKind::rows || b.kind != ValueKind::rows ||
          plan.brief(x) != plan.brief(y) || a.first_phase > b.first_phase ||
          plan.offset(x) >= plan.offset(y) + b.width || plan.offset(y) >= plan.offset(x) + a.width)
        continue;
      ++shared, brief += plan.brief(x);
      EXPECT_LT(a.last_phase, b.first_phase) << a.name << " and " << b.name;
      if (chain[a.last_phase] && chain[a.last_phase] == chain[b.first_phase]) {
        EXPECT_EQ(a.width, b.width) << a.name << " and " << b.name;
      }
    }
  EXPECT_GT(brief, 0);
  EXPECT_GT(shared, brief);
}

// Chosen positions: the rows that a full trace has there, in the order asked for; the same with hooks.
TEST_P(ModelTest, ChosenPositionsAreRowsOfTheFullTrace) {
  const auto m = load(isas().back(), 2);
  const std::vector<int32_t> x = ids(40, 9);
  const ValueId scores = m->plan().find("blocks.0.attn.scores"),
                pattern = m->plan().find("blocks.1.attn.pattern");
  const auto trace = [&](const std::vector<int64_t>& positions, const Hooks& hooks) {
    KvCache cache = m->new_cache();
    append(*m, cache, ids(5, 1));
    m->chunk = 7;
    Request r;
    r.sequences = {{&cache, x, positions}};
    r.taps = {scores, pattern};
    r.hooks = hooks;
    r.on_hook = [](const Hooked&) { return false; };
    return m->forward(r).traced;
  };
  const std::vector<Traced> all = trace({}, {});
  for (const Hooks& hooks : {Hooks{}, Hooks{pattern}, Hooks{scores}})
    for (const std::vector<int64_t>& positions : {std::vector<int64_t>{39}, {3, 9, 30}, {9, 3, 39, 9}}) {
      const std::vector<Traced> some = trace(positions, hooks);
      for (int i : {0, 1}) {
        const int64_t rows = static_cast<int64_t>(positions.size());
        ASSERT_EQ(some[i].shape, (std::vector<int64_t>{8, rows, 45}));
        for (int64_t h = 0; h < 8; ++h)
          for (int64_t p = 0; p < rows; ++p)
            EXPECT_TRUE(
                SameBits(some[i].data + (h * rows + p) * 45, all[i].data + (h * 40 + positions[p]) * 45, 45));
      }
    }
  EXPECT_LT(trace({39}, {})[0].buffer->bytes(), 8192u) << "only what was asked for is kept";
}

// attn.result is computed later, from z; the memory it will take is in the estimate.
TEST_P(ModelTest, TheEstimateCountsDerivedValues) {
  const auto m = load(isas().back());
  const ValueId z = m->plan().find("blocks.0.attn.z"), result = m->plan().find("blocks.0.attn.result");
  KvCache cache = m->new_cache();
  Request r;
  r.sequences = {{&cache, ids(30, 2), {}}};
  r.taps = {z};
  const uint64_t without = m->estimate(r);
  r.taps = {z, result};
  EXPECT_EQ(m->estimate(r) - without, 30u * 8 * 256 * 4);
  EXPECT_EQ(m->forward(r).traced.size(), 1u);
  r.sequences[0].positions = {7, 8};
  r.taps = {z};
  const uint64_t two = m->estimate(r);
  r.taps = {z, result};
  EXPECT_EQ(m->estimate(r) - two, 2u * 8 * 256 * 4);
}

TEST_P(ModelTest, TheCallersRoundingModeChangesNothing) {
  const std::vector<int32_t> x = ids(33, 7);
  const std::vector<float> want = logits(*load(isas().back()), x);
  std::vector<std::vector<float>> got;
  bool kept;
  {
    const CallerWord word;
    for (int threads : {1, 2}) got.push_back(logits(*load(isas().back(), threads), x));
    kept = word.kept();
  }
  EXPECT_TRUE(kept) << "the caller's word";
  for (const auto& y : got) EXPECT_TRUE(equal(y, want));
}

INSTANTIATE_TEST_SUITE_P(Compute, ModelTest, ::testing::Values("float32", "int8"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace cutaway::testing
