// The static plan of a model. An architecture's recipe runs once, at load, on symbols; every coarse op it
// calls adds one phase. A phase is one or more stages; all threads run a stage, then meet at a barrier. There
// is no graph interpreter.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/parallel.h"
#include "kernels.h"
#include "model/config.h"
#include "model/kv_cache.h"
#include "model/parts.h"
#include "model/weights.h"

namespace cutaway {

using ValueId = int;
constexpr ValueId kNoValue = -1;

enum class ValueKind {
  rows,     // [pos, width]; dims name the parts of width
  pattern,  // [n_heads, query_pos, key_pos], per sequence
  logits,   // [rows asked for, d_vocab]
  derived,  // computed from others when asked for
};

// A value with a name (docs/names.md).
struct Value {
  std::string name;
  ValueKind kind = ValueKind::rows;
  std::vector<std::pair<std::string, int64_t>> dims;  // after pos: {"n_heads", 9}, {"d_head", 64}
  int64_t width = 0;                                  // their product
  std::string equation;
  bool replaceable = false;    // a hook may replace it
  float masked = 0.0f;         // what a hidden key of a pattern holds
  ValueId same_as = kNoValue;  // shares the buffer of an earlier value unless hooked
  int layer = -1;
  int first_phase = -1, last_phase = -1;  // where the buffer is in use
};

using Hooks = std::set<ValueId>;  // the values that hooks will see and may change

struct Run;

// One step of the schedule: all threads run it, then a barrier. Stages by row that follow each other form a
// chain: with many rows each thread runs all of it on a block of rows, which stays in its cache. When
// `writes` holds a hooked value the region ends after it, and the hooks run on the calling thread.
struct Stage {
  std::function<void(Run&, Worker&)> run;
  std::vector<ValueId> writes;
  std::function<Work(const Run&)> work;  // for cutting it into parts (worker.rows, .tiles); null: one part
  bool by_row = false;                   // a row needs nothing of other rows, in this stage and those before
  int phase = -1;                        // which of the plan's
  size_t chain_end = 0;                  // one past the last stage of its chain
};

// What a phase does with a chunk, counted, not measured.
struct Cost {
  double flops = 0;  // of linear layers and attention; a multiply-add is two
  double bytes = 0;  // of weights and KV cache, each read once
  void add(const Cost& other) { flops += other.flops, bytes += other.bytes; }
};

class Phase {
 public:
  virtual ~Phase() = default;
  // Stages for the given hooks: a value that lives inside a stage ends one when it is hooked.
  virtual void schedule(const Hooks& hooks, std::vector<Stage>& out) const = 0;
  virtual Cost cost(const Run&) const { return {}; }
  std::string label;  // "attention"
  int layer = -1;     // -1: none
};

class Plan {
 public:
  ValueId name(Value value);  // declares a named value, written by the next phase
  void reads(ValueId id);     // the next phase reads it
  void add(std::unique_ptr<Phase> phase) { phases_.push_back(std::move(phase)); }

  const std::vector<Value>& values() const { return values_; }
  const std::vector<std::unique_ptr<Phase>>& phases() const { return phases_; }
  std::vector<Stage> schedule(const Hooks& hooks) const;
  ValueId find(const std::string& name) const;  // kNoValue when there is none
  ValueId root(ValueId id) const;               // the value whose buffer it shares

  // Assigns arena offsets by liveness. After the last phase was added.
  void finish();
  // Two arenas: values that live in one chain need rows for one part only, and stay in the cache.
  bool brief(ValueId id) const { return brief_[root(id)]; }
  int64_t arena_width(bool brief) const { return arena_width_[brief]; }  // floats per row
  int64_t offset(ValueId id) const { return offsets_[id]; }              // floats per row before it
  int64_t max_cols = 0;                                                  // widest input of a linear layer

 private:
  std::vector<Value> values_;
  std::vector<std::unique_ptr<Phase>> phases_;
  std::vector<int64_t> offsets_;
  std::vector<uint8_t> brief_;  // by value
  int64_t arena_width_[2] = {0, 0};
};

// The rows of one sequence in the current chunk.
struct SequencePart {
  KvCache* cache = nullptr;
  int64_t first_row = 0;  // in the chunk
  int64_t rows = 0;
  int64_t position = 0;     // absolute position of its first row
  int64_t first_query = 0;  // index of its first row among the sequence's rows of this call
  int64_t n_queries = 0;    // rows of the sequence in this call
  int64_t n_keys = 0;       // positions after this call
  int index = 0;            // which sequence of the call
};

// Scores or pattern of one sequence: [n_heads, rows, n_keys].
struct Map {
  float* data = nullptr;
  int64_t rows = 0;
  const int64_t* row_of = nullptr;  // by query, -1 where it is not kept; null: all are
  float* row(int64_t head, int64_t query, int64_t n_keys) const {  // null where it is not kept
    const int64_t r = row_of ? row_of[query] : query;
    return r < 0 ? nullptr : data + (head * rows + r) * n_keys;
  }
};

// Everything a stage needs about the chunk it works on.
struct Run {
  const kernels::Table* kernels = nullptr;
  const Config* config = nullptr;
  bool int8 = false;
  int threads = 1;
  int64_t rows = 0;                    // rows of the chunk
  const int32_t* tokens = nullptr;     // [rows]
  const int64_t* positions = nullptr;  // [rows]
  std::vector<SequencePart> parts;
  std::vector<float*> value;              // by ValueId: the chunk's first row; null where nothing is kept
  std::vector<std::vector<Map>> pattern;  // by ValueId, then sequence; empty where nothing is kept
  std::vector<uint8_t> tapped;            // by ValueId: has a buffer of its own
  std::vector<uint8_t> ring;              // by ValueId: has rows for one block of each worker only
  std::vector<int> slots;  // by block of rows: the worker that has it; empty: every row has its place
  int64_t ring_rows = 0;
  int64_t block = 0;               // rows of a chain that a worker takes at a time; 0: stages are not chained
  std::vector<int64_t> head_rows;  // chunk rows whose logits are wanted; value[logits] takes them in order
  std::vector<float> cos_sin;      // per rope [rows, half] cosines, then sines
  std::vector<int64_t> cos_at;     // by rope: where its cosines begin
  std::vector<std::unique_ptr<Buffer>> scratch;  // by worker
  // Dynamic tasks of stage w.step. Three by turns: one is taken from, a slow worker may still look at the
  // last one, and one is reset for the next stage.
  std::atomic<int64_t> tasks[3] = {};
  std::atomic<ValueId> overflow{kNoValue};  // a value with a number beyond the KV cache's f16

  void reset_tasks() {
    for (auto& n : tasks) n = 0;
  }
  std::atomic<int64_t>& next_task(const Worker& w) { return tasks[w.step % 3]; }
  void reserve_scratch(int workers, size_t bytes) {
    if (static_cast<int>(scratch.size()) < workers) scratch.resize(workers);
    for (auto& s : scratch)
      if (!s || s->bytes() < bytes) s = std::make_unique<Buffer>(bytes);
  }
  float* row(ValueId id, int64_t r, int64_t width) const {
    return value[id] + (ring[id] && !slots.empty() ? slots[r / block] * block + r % block : r) * width;
  }
};

}  // namespace cutaway
