// What an architecture file reads with: typed config keys and named tensors, each checked, each remembered as
// read, so that nothing in a file is dropped silently.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/image.h"
#include "model/plan.h"
#include "model/weights.h"

namespace cutaway {

// The spelling of one key or tensor in both containers; "{}" in a tensor name is the layer.
struct Spelling {
  const char* gguf;
  const char* hf;
};

class Loader {
 public:
  Loader(const Checkpoint& file, const kernels::Table& kernels, Weights& weights, Image& image,
         std::string unembed_type = "");

  bool requantises_head() const { return !unembed_type_.empty(); }
  bool gguf() const { return file_.format == "gguf"; }
  const Checkpoint& file() const { return file_; }
  std::string key(const Spelling& s) const { return gguf() ? s.gguf : s.hf; }

  // Config values in [low, high]; a missing key takes `otherwise`, or raises when there is none.
  int64_t count(const Spelling& key, int64_t low, int64_t high, std::optional<int64_t> otherwise = {}) const;
  double number(const Spelling& key, double low, double high, std::optional<double> otherwise = {}) const;

  // A linear layer [rows, cols], named as TransformerLens does; it gets its place in the image, and its tiles
  // when that is packed. `order` maps our row to the file's within the tensor.
  const Matrix& matrix(const std::string& name, const std::string& tensor, int64_t rows, int64_t cols,
                       Orientation orientation, int64_t heads = 1, RowOrder order = nullptr);
  // The head [d_vocab, d_model], requantised where that was asked for.
  const Matrix& head(const std::string& tensor, int64_t rows, int64_t cols);
  std::string tensor_of(const Matrix& m) const;  // the tensor it was read from
  // A second name for a matrix (tied embeddings).
  void name_again(const std::string& name, const Matrix& m, Orientation orientation);
  // A norm weight or bias [n]; `add` is added to every entry (Gemma's 1 + w in safetensors).
  const std::vector<float>& vector(const std::string& name, const std::string& tensor, int64_t n,
                                   float add = 0.0f, int64_t heads = 1, RowOrder order = nullptr);
  bool has_keys(const std::string& prefix) const;  // does any config key start so?
  bool has(const std::string& tensor) const { return file_.find(tensor) != nullptr; }
  std::string layer_name(const Spelling& s, int layer) const;  // "{}" filled in

  // Raises for tensors nobody read and for config keys nobody understood, but for the harmless
  // ones: whole keys, or prefixes that end with a dot.
  void finish(const std::vector<std::string>& harmless) const;
  [[noreturn]] void fail(const std::string& message) const;

 private:
  const TensorInfo& tensor(const std::string& name, const std::vector<int64_t>& shape) const;
  const Matrix& place(const std::string& name, const TensorInfo& tensor, Matrix matrix, int stored,
                      Orientation orientation, int64_t heads, RowOrder order);
  const Checkpoint& file_;
  const kernels::Table& kernels_;
  Weights& weights_;
  Image& image_;
  std::string unembed_type_;
  mutable std::set<std::string> read_;
};

// An architecture family: one file, one line in archs.def.
struct Architecture {
  const char* name;
  bool (*recognises)(const std::string& arch,
                     bool gguf);  // general.architecture, or model_type of config.json
  void (*build)(Loader& in, Config& config, Plan& plan);
};
const Architecture& architecture_of(const Checkpoint& file);  // FormatError lists what is known

// How a file stretches its rotary frequencies for long contexts.
struct RopeScaling {
  std::string type = "none";  // "none" | "linear" | "llama3"
  double factor = 1.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_n_ctx = 8192.0;
};
// The keys below `at` ("llama.rope.scaling.", "rope_parameters."). FormatError for a type we do not know.
RopeScaling rope_scaling(const Loader& in, const std::string& at);
// inv_freq[i] = base^(-2 i / d_rot) in float64, scaled, rounded to float32.
Rope make_rope(double base, int64_t d_rot, const RopeScaling& scaling);

}  // namespace cutaway
