// A loaded model: configuration, packed weights, static plan, and the pools that its calls draw from.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "format/checkpoint.h"
#include "model/config.h"
#include "model/crowding.h"
#include "model/pack_file.h"
#include "model/plan.h"
#include "model/weights.h"
#include "tokenizer/tokenizer.h"

namespace cutaway {

struct LoadOptions {
  int threads = 0;           // 0: default_threads()
  std::string compute;       // "float32", "int8", "": int8 when a matrix is stored quantised
  int64_t n_ctx = 0;         // 0: the file's context length
  std::string isa;           // "": default_isa()
  std::string unembed_type;  // the head requantised: "Q8_0", "Q5_0", "Q4_0"; "": as it is stored
  std::string kv_type;       // of the KV cache: "F32", "F16", "Q8_0"; "": F16 in int8 mode, else F32
  PackOptions pack;          // by default there is no pack file
};

// Where the time of a load went.
struct LoadSeconds {
  double header = 0, tokenizer = 0, plan = 0, weights = 0;
};

// Which logits a call computes.
enum class LogitRows { none, last, all };

// One sequence of a call: new ids appended to a cache.
struct Sequence {
  KvCache* cache;
  std::vector<int32_t> ids;
  std::vector<int64_t> positions;  // rows of this call to keep in traces; empty: all
};

// An array of a trace: a view into a shared buffer. `data` is the engine's own memory.
struct Traced {
  ValueId value;
  int sequence;
  std::shared_ptr<Buffer> buffer;
  float* data;
  std::vector<int64_t> shape;
};

struct Hooked {
  ValueId value;
  int sequence;
  std::shared_ptr<Buffer> buffer;  // of its own
  float* data;                     // writable during the call-back only
  std::vector<int64_t> shape;
};

// One phase of the plan in a call: what it took and what it did.
struct PhaseProfile {
  double seconds = 0;
  Cost cost;
};

struct Request {
  std::vector<Sequence> sequences;
  LogitRows logits = LogitRows::all;
  std::vector<ValueId> taps;  // of a derived value only the memory is held free: it is computed later
  Hooks hooks;
  // Runs on the calling thread, between regions. True: somebody still holds the array, and may write to it.
  std::function<bool(const Hooked&)> on_hook;
  std::function<void()> check;                   // may throw: cancels the call and restores every cache
  Pacing pacing;                                 // how often it is called; never changes a bit
  std::vector<PhaseProfile>* profile = nullptr;  // by phase of the plan, added to; null: nothing is measured
};

struct Output {
  std::shared_ptr<Buffer> logits_buffer;  // null for LogitRows::none
  std::vector<float*> logits;             // by sequence: [rows, d_vocab]
  std::vector<int64_t> logit_rows;
  std::vector<Traced> traced;
};

// Raises ArgumentError, saying how many would fit, unless n new tokens have room behind `past` ones: the one
// wording of a text that is too long. `what` has them: "the prompt".
void check_length(const std::string& what, int64_t past, int64_t n, int64_t n_ctx, int64_t n_ctx_of_file);

class Model {
 public:
  static std::shared_ptr<Model> load(const std::string& path, const LoadOptions& options);
  Model(const Model&) = delete;
  ~Model();

  // Runs the new ids of every sequence. Each row's bits depend on its own sequence alone. Throws
  // ArgumentError, MemoryLimitError (before anything runs), or what on_hook and check throw; then no cache
  // has changed.
  Output forward(const Request& request);
  // Bytes a request would need beyond the weights.
  uint64_t estimate(const Request& request) const;

  // The final norm and the head alone. resid: [n, d_model] -> [n, d_vocab], the bits that a call with these
  // rows as its last resid_post gives. Throws MemoryLimitError before anything runs, or what check throws.
  std::shared_ptr<Buffer> unembed(const float* resid, int64_t n, const std::function<void()>& check);

  // z: [rows, n_heads, d_head] -> out: [rows, n_heads, d_model], each head through its slice of W_O.
  // Calls check, which may throw, as often as forward does.
  void attention_result(int layer, const float* z, int64_t rows, float* out,
                        const std::function<void()>& check) const;

  const Config& config() const { return config_; }
  const Plan& plan() const { return plan_; }
  const Weights& weights() const { return weights_; }
  const kernels::Table& kernels() const { return *kernels_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const std::string& path() const { return path_; }
  const std::string& format() const { return format_; }
  size_t n_files() const { return n_files_; }  // that hold the weights
  const std::string& compute() const { return compute_; }
  // Null when the file has none that can be used; why_no_tokenizer() says why.
  const std::shared_ptr<Tokenizer>& tokenizer() const { return tokenizer_; }
  const std::string& why_no_tokenizer() const { return why_no_tokenizer_; }
  int64_t n_ctx() const { return n_ctx_; }
  const std::string& pack_path() const { return pack_path_; }  // that the weights are mapped from; or empty
  const LoadSeconds& load_seconds() const { return load_seconds_; }
  const KvShape& kv_shape() const { return kv_shape_; }
  KvCache new_cache() { return KvCache(kv_shape_, &pool_); }
  BufferPool& pool() { return pool_; }

  int threads;    // of each call
  int64_t chunk;  // rows of a prompt taken at a time; never changes a bit
  // What it costs the threads to meet between two stages. A call that would gain less by them uses one. 0:
  // never.
  double meeting_ms = oversubscribing() ? 0 : 0.002;

 private:
  struct State;
  Model();
  std::unique_ptr<State> take_state();
  void give_state(std::unique_ptr<State> state);
  void check_request(const Request& request) const;
  void add_profile(const Run& run, std::vector<double>& seconds, std::vector<PhaseProfile>& out) const;
  int64_t chunk_for(const Request& request, int64_t rows) const;
  int threads_for(int64_t rows);
  void check_memory(uint64_t need, const char* remedy);  // throws when so many bytes cannot be had

  BufferPool pool_;
  Config config_;
  Weights weights_;
  Plan plan_;
  std::vector<Stage> stages_;  // the schedule without hooks
  const kernels::Table* kernels_ = nullptr;
  std::vector<TensorInfo> tensors_;
  size_t n_files_ = 0;
  std::string path_, format_, compute_, why_no_tokenizer_, pack_path_;
  LoadSeconds load_seconds_;
  std::shared_ptr<Tokenizer> tokenizer_;
  int64_t n_ctx_ = 0;
  ValueId logits_ = kNoValue;
  KvShape kv_shape_;
  Crowding crowding_;
  double row_ms_ = 0;  // one row on one thread, without attention
  std::mutex mutex_;
  std::vector<std::unique_ptr<State>> states_;  // idle run states, taken by a call and given back
};

}  // namespace cutaway
