// Attention over the KV cache. A task is (sequence, KV head, block of rows); a row is a query and one of the
// query heads that share the KV head, and so read the same keys. Scores, softmax and values are three passes;
// a hook on scores or pattern cuts between them.
#include <cstring>
#include <limits>

#include "ops/ops.h"

namespace cutaway {
namespace {

using kernels::kKvBlock;
using kernels::kLanes;

constexpr int64_t kQueryBlock = 8;                                  // queries of a task, at most
constexpr float kMasked = -std::numeric_limits<float>::infinity();  // a hidden key's score
constexpr int64_t kScoreBytes = int64_t{1} << 20;                   // scores of a task stay in L2
constexpr int64_t kStreamed = 4096;  // numbers of a map that a task writes: more go past the caches
constexpr double kTaskMs = 10;       // of one thread: tasks are shared out evenly

struct Names {
  ValueId q, scores, pattern, z;
};
enum class Until { scores, pattern, values };  // passes; a stage runs one or more

// A worker's scratch for R rows, one per query and head.
struct Scratch {
  Scratch(Carver& at, int64_t R, int64_t n_blocks, int64_t d_pad, int64_t n_scores)
      : rows(at.take<float*>(R)),
        maps(at.take<float*>(R)),
        lo(at.take<int64_t>(R)),
        hi(at.take<int64_t>(R)),
        blocks(at.take<const void*>(n_blocks)),
        acc(at.take<float>(R * 2 * d_pad)),
        scores(at.take<float>(n_scores)) {}
  float** rows;         // [R] of q or z
  float** maps;         // [R] of scores or pattern that are kept
  int64_t *lo, *hi;     // [R] first and last visible key
  const void** blocks;  // [n_blocks] of K or V
  float* acc;           // [R, 2, d_pad]
  float* scores;        // [R, ld]
};

class Attention final : public Phase {
 public:
  Attention(const Config& c, int layer, const Names& n) : c_(c), layer_(layer), n_(n) {}

  void schedule(const Hooks& hooks, std::vector<Stage>& stages) const override {
    const bool cut_scores = hooks.count(n_.scores), cut_pattern = hooks.count(n_.pattern);
    Until from = Until::scores;
    if (cut_scores) push(stages, from, Until::scores, {n_.scores}), from = Until::pattern;
    if (cut_pattern) push(stages, from, Until::pattern, {n_.pattern}), from = Until::values;
    push(stages, from, Until::values, {n_.z});
  }

  // Scores and values: two products of d_head per query, head and visible key; every key and value once.
  Cost cost(const Run& run) const override {
    const int64_t window = c_.layers[layer_].window;
    Cost cost;
    for (const SequencePart& p : run.parts) {
      int64_t seen = 0;
      for (int64_t at = p.position; at < p.position + p.rows; ++at)
        seen += window ? std::min(at + 1, window) : at + 1;
      const int64_t last = p.position + p.rows,
                    first = window ? std::max<int64_t>(0, p.position - window + 1) : 0;
      const KvShape& shape = p.cache->shape();
      cost.flops += 4.0 * static_cast<double>(seen * c_.n_heads * c_.d_head);
      cost.bytes +=
          static_cast<double>((last - first) * c_.n_kv_heads * (shape.k_bytes() + shape.v_bytes())) /
          kKvBlock;
    }
    return cost;
  }

 private:
  void push(std::vector<Stage>& stages, Until from, Until until, std::vector<ValueId> writes) const {
    Stage s;
    s.writes = std::move(writes);
    s.work = [this](const Run& run) { return this->work_of(run); };
    s.run = [this, from, until](Run& run, Worker& w) { work(run, w, from, until); };
    stages.push_back(std::move(s));
  }

  int64_t group() const { return c_.n_heads / c_.n_kv_heads; }

  // A row over all keys it may see: two products with d_head values and a softmax.
  double row_ms(const Run& run, const SequencePart& part) const {
    const int64_t window = c_.layers[layer_].window, keys = part.position + part.rows;
    const int64_t seen = window ? std::min(keys, window + kQueryBlock) : keys;
    return static_cast<double>(seen * (2 * c_.d_head + kElement)) /
           static_cast<double>(run.kernels->f32_per_ms);
  }

  // Rows of a block: as many as keep the scores in L2 and the task short, and give every thread a task.
  int64_t block_rows(const Run& run, const SequencePart& part) const {
    const int64_t keys = (part.position + part.rows + kLanes - 1) / kLanes * kLanes;
    const double ms = row_ms(run, part);
    const int64_t tasks = (run.threads + c_.n_kv_heads - 1) / c_.n_kv_heads;  // of each KV head, at least
    int64_t n = std::min(kQueryBlock * group(), (part.rows * group() + tasks - 1) / tasks);
    while (n > 1 && (n * keys * 4 > kScoreBytes || static_cast<double>(n) * ms > kTaskMs)) n = (n + 1) / 2;
    return n;
  }

  int64_t blocks(const Run& run, const SequencePart& part) const {
    const int64_t size = block_rows(run, part);
    return (part.rows * group() + size - 1) / size;
  }

  Work work_of(const Run& run) const {
    Work work{0, 0};
    for (const SequencePart& p : run.parts) {
      work.rows += blocks(run, p) * c_.n_kv_heads;
      work.ms = std::max(work.ms, static_cast<double>(block_rows(run, p)) * row_ms(run, p));
    }
    return work;
  }

  void work(Run& run, Worker& w, Until from, Until until) const {
    std::atomic<int64_t>& next = run.next_task(w);
    for (;;) {
      int64_t task = w.rows.begin + next.fetch_add(1, std::memory_order_relaxed);
      if (task >= w.rows.end) return;
      const SequencePart* part = run.parts.data();
      int64_t n = blocks(run, *part);
      for (; task >= n * c_.n_kv_heads; n = blocks(run, *++part)) task -= n * c_.n_kv_heads;
      // The long rows first: the last queries see the most keys.
      const int64_t size = block_rows(run, *part), first = (n - 1 - task / c_.n_kv_heads) * size;
      one(run, w, *part, task % c_.n_kv_heads, first, std::min(size, part->rows * group() - first), from,
          until);
    }
  }

  // R rows from r0 on; row i is query i / G and head i % G of the group.
  void one(Run& run, Worker& w, const SequencePart& part, int64_t kv, int64_t r0, int64_t R, Until from,
           Until until) const {
    const kernels::Table& k = *run.kernels;
    const int64_t G = group(), d = c_.d_head, window = c_.layers[layer_].window;
    const KvShape& shape = part.cache->shape();
    const int64_t position = part.position + r0 / G;  // of the first query
    const int64_t lowest = window ? std::max<int64_t>(0, position - window + 1) : 0,
                  highest = part.position + (r0 + R - 1) / G;
    const int64_t first = lowest / kLanes * kLanes, last = highest / kLanes * kLanes + kLanes,
                  ld = last - first;
    const int64_t n_blocks = highest / kKvBlock + 1;
    Carver scratch(run.scratch[w.thread]->data());
    Scratch s(scratch, R, n_blocks, shape.d_pad(), R * ld);
    for (int64_t r = 0; r < R; ++r) {
      const int64_t at = part.position + (r0 + r) / G;
      s.hi[r] = at;
      s.lo[r] = window ? std::max<int64_t>(0, at - window + 1) : 0;
    }
    const kernels::AttentionRows visible{static_cast<int>(R), s.lo, s.hi};
    const auto row_in = [&](ValueId id, int64_t r) {  // [pos, n_heads, d_head]
      return run.row(id, part.first_row + (r0 + r) / G, c_.n_heads * d) + (kv * G + (r0 + r) % G) * d;
    };
    const auto map_row = [&](const Map& map, int64_t r) {
      return map.row(kv * G + (r0 + r) % G, part.first_query + (r0 + r) / G, part.n_keys);
    };
    const auto keep = [&](ValueId id, float masked) {  // the rows of scores that are asked for
      if (run.pattern[id].empty()) return;
      for (int64_t r = 0; r < R; ++r) s.maps[r] = map_row(run.pattern[id][part.index], r);
      k.attention_map(s.maps, s.scores, ld, &visible, first, part.n_keys, masked,
                      R * part.n_keys > kStreamed);
    };
    const auto take_back = [&](ValueId id) {  // what a hook left; a hooked map has every row
      for (int64_t r = 0; r < R; ++r)
        std::memcpy(s.scores + r * ld + s.lo[r] - first, map_row(run.pattern[id][part.index], r) + s.lo[r],
                    (s.hi[r] - s.lo[r] + 1) * 4);
    };

    if (from == Until::scores) {
      for (int64_t b = first / kKvBlock; b < n_blocks; ++b) s.blocks[b] = part.cache->k(b, layer_, kv);
      for (int64_t r = 0; r < R; ++r) s.rows[r] = row_in(n_.q, r);
      k.attention_scores(s.scores, ld, s.rows, R, s.blocks, d, first, last, c_.attn_scale, c_.attn_soft_cap,
                         shape.type);
      keep(n_.scores, kMasked);
      if (until == Until::scores) return;
    } else if (from == Until::pattern) {
      take_back(n_.scores);
    }
    if (from != Until::values) {
      k.attention_softmax(s.scores, ld, &visible, first, last);
      keep(n_.pattern, 0.0f);
      if (until == Until::pattern) return;
    } else {
      take_back(n_.pattern);
    }
    for (int64_t b = first / kKvBlock; b < n_blocks; ++b) s.blocks[b] = part.cache->v(b, layer_, kv);
    for (int64_t r = 0; r < R; ++r) s.rows[r] = row_in(n_.z, r);
    k.attention_values(s.rows, s.scores, ld, &visible, first, s.blocks, d, shape.type, s.acc);
  }

  const Config& c_;
  int layer_;
  Names n_;
};

}  // namespace

int64_t attention_scratch(const Config& c, int64_t n_keys) {
  const int64_t G = c.n_heads / c.n_kv_heads, keys = (n_keys + kLanes - 1) / kLanes * kLanes;
  const KvShape shape{c.n_layers, c.n_kv_heads, c.d_head};
  Carver count;  // the largest block of queries, and the most scores that block_rows() lets through
  Scratch(count, kQueryBlock * G, n_keys / kKvBlock + 1, shape.d_pad(),
          std::max<int64_t>(kScoreBytes / sizeof(float), keys));
  return count.bytes();
}

ValueId attention(const Scope& s, ValueId rot_q) {
  const Config& c = s.config;
  const int64_t window = c.layers[s.layer].window;
  const std::string product = "rot_q . rot_k * attn_scale",
                    capped = c.attn_soft_cap ? "soft_cap(" + product + ")" : product;
  const std::string seen =
      window ? "; keys in (pos - " + std::to_string(window) + ", pos]" : "; keys up to pos";
  const Scope::Dims heads = {{"n_heads", c.n_heads}};
  Names n;
  n.q = rot_q;
  n.scores = s.declare({.name = "attn.scores",
                        .kind = ValueKind::pattern,
                        .dims = heads,
                        .equation = capped + seen,
                        .replaceable = true,
                        .masked = kMasked});
  n.pattern = s.declare("attn.pattern", heads, "softmax(scores)", ValueKind::pattern);
  n.z = s.declare("attn.z", {{"n_heads", c.n_heads}, {"d_head", c.d_head}}, "pattern @ v");
  s.declare({.name = "attn.result",
             .kind = ValueKind::derived,
             .dims = {{"n_heads", c.n_heads}, {"d_model", c.d_model}},
             .equation = "z[head] @ W_O[head]"});
  s.plan.reads(rot_q);
  s.phase<Attention>("attention", c, s.layer, n);
  return n.z;
}

}  // namespace cutaway
