#include "model/model.h"

#include <algorithm>
#include <utility>

#include <filesystem>

#include "core/cpu.h"
#include "core/error.h"
#include "core/float_environment.h"
#include "core/stopwatch.h"
#include "model/loader.h"
#include "model/state.h"
#include "ops/ops.h"

namespace cutaway {
namespace {

// Where the files beside a checkpoint are: it may be named by its folder or by one of its files.
std::string folder_of(const std::string& path) {
  namespace fs = std::filesystem;
  if (fs::is_directory(path)) return path;
  const fs::path parent = fs::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

constexpr size_t kPoolKeeps = size_t{1} << 30;

}  // namespace

Model::Model() : threads(1), chunk(0), pool_(kPoolKeeps) {}
Model::~Model() = default;

std::shared_ptr<Model> Model::load(const std::string& path, const LoadOptions& options) {
  const FloatEnvironment scope;  // norm weights and rotary frequencies are computed here, outside a region
  std::shared_ptr<Model> model(new Model);
  Model& m = *model;
  m.threads = options.threads ? options.threads : default_threads();
  if (m.threads < 1 || m.threads > 1024)
    throw ArgumentError(text("threads is {}, expected a number from 1 to 1024", m.threads));
  m.kernels_ = &kernels_for(options.isa.empty() ? default_isa() : options.isa);
  if (!options.compute.empty() && options.compute != "float32" && options.compute != "int8")
    throw ArgumentError(text("compute is '{}', expected 'float32' or 'int8'", options.compute));

  Stopwatch watch;
  Checkpoint file = open_checkpoint(path);
  const Architecture& arch = architecture_of(file);
  m.load_seconds_.header = watch.lap();
  if (file.format == "gguf") {
    try {  // a damaged vocabulary is an error; one of a kind we do not read leaves a model that works on ids
      m.tokenizer_ = make_tokenizer(file.metadata);
    } catch (const UnsupportedError& e) { m.why_no_tokenizer_ = e.what(); }
  } else {
    try {
      m.tokenizer_ = open_tokenizer(folder_of(file.path));
    } catch (const UnsupportedError& e) { m.why_no_tokenizer_ = e.what(); }
  }
  m.load_seconds_.tokenizer = watch.lap();
  Image image;
  Loader loader(file, *m.kernels_, m.weights_, image, options.unembed_type);
  arch.build(loader, m.config_, m.plan_);
  if (m.tokenizer_ && m.tokenizer_->vocab().size() > m.config_.d_vocab) {
    const std::string problem = text("the vocabulary has {} tokens, but the embedding only {} rows",
                                     m.tokenizer_->vocab().size(), m.config_.d_vocab);
    if (file.format == "gguf") loader.fail(problem);
    m.why_no_tokenizer_ = text("{}: {}", file.path, problem);  // of a folder: token ids still work
    m.tokenizer_ = nullptr;
  }
  m.plan_.finish();
  m.logits_ = m.plan_.find("logits");

  bool quantised = false;
  for (const Placed& p : image.matrices()) quantised = quantised || m.kernels_->quants[p.stored].integer;
  m.compute_ = !options.compute.empty() ? options.compute : quantised ? "int8" : "float32";
  if (options.n_ctx < 0) throw ArgumentError(text("n_ctx is {}, expected a positive number", options.n_ctx));
  if (options.n_ctx > m.config_.n_ctx)
    throw ArgumentError(
        text("n_ctx is {}, but the file's context length is {}", options.n_ctx, m.config_.n_ctx));
  m.n_ctx_ = options.n_ctx ? options.n_ctx : m.config_.n_ctx;
  m.kv_shape_ = {m.config_.n_layers, m.config_.n_kv_heads, m.config_.d_head,
                 kv_type(options.kv_type, m.compute_ == "int8", m.config_.d_head)};
  m.stages_ = m.plan_.schedule({});
  for (const Placed& p : image.matrices())
    m.row_ms_ += static_cast<double>(p.matrix->rows * p.matrix->cols) /
                 static_cast<double>(m.compute_ == "int8" ? m.kernels_->int8_per_ms : m.kernels_->f32_per_ms);
  m.load_seconds_.plan = watch.lap();

  PackedWeights packed = pack_weights(file, image, *m.kernels_, m.threads, options.pack);
  image.give_tiles(packed.image);
  m.pack_path_ = packed.path;
  m.load_seconds_.weights = watch.lap();

  m.path_ = file.path;
  m.format_ = file.format;
  m.tensors_ = file.tensors;
  m.n_files_ = file.files.size();
  file.close();
  return model;
}

void Model::attention_result(int layer, const float* z, int64_t rows, float* out,
                             const std::function<void()>& check) const {
  const FloatEnvironment scope;  // called outside a region
  const NamedWeight* found = nullptr;
  const std::string name = "blocks." + std::to_string(layer) + ".attn.W_O";
  for (const NamedWeight& w : weights_.named)
    if (w.name == name) found = &w;
  if (!found) throw ArgumentError(text("there is no {}", name));
  const Matrix& W_O = *found->matrix;
  const kernels::Quant& q = kernels_->quants[W_O.quant];
  const int64_t H = config_.n_heads, d = config_.d_head, cols = W_O.cols;
  std::vector<float> one(cols, 0.0f);  // z of one head, zeros elsewhere
  const double head_ms = static_cast<double>(W_O.rows * cols) / static_cast<double>(kernels_->f32_per_ms);
  double since_check = 0;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t h = 0; h < H; ++h) {
      if (since_check += head_ms; since_check > Pacing().check_ms) {
        check();
        since_check = 0;
      }
      std::copy_n(z + (r * H + h) * d, d, one.begin() + h * d);
      q.linear_f32(out + (r * H + h) * W_O.rows, W_O.rows, one.data(), cols, W_O.tile(q, 0), 1, cols,
                   W_O.rows);
      std::fill_n(one.begin() + h * d, d, 0.0f);
    }
}

std::unique_ptr<Model::State> Model::take_state() {
  std::lock_guard lock(mutex_);
  if (states_.empty()) return std::make_unique<State>();
  auto state = std::move(states_.back());
  states_.pop_back();
  return state;
}

void Model::give_state(std::unique_ptr<State> state) {
  state->arena.reset();  // idle in the pool, where anybody who lacks memory can free it
  std::lock_guard lock(mutex_);
  states_.push_back(std::move(state));
}

}  // namespace cutaway
