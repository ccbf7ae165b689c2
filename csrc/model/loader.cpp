#include "model/loader.h"

#include "core/error.h"

namespace cutaway {
namespace {

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

}  // namespace

Loader::Loader(const Checkpoint& file, const kernels::Table& kernels, Weights& weights, Image& image,
               std::string unembed_type)
    : file_(file),
      kernels_(kernels),
      weights_(weights),
      image_(image),
      unembed_type_(std::move(unembed_type)) {}

void Loader::fail(const std::string& message) const { throw FormatError(file_.path + ": " + message); }

int64_t Loader::count(const Spelling& spelling, int64_t low, int64_t high,
                      std::optional<int64_t> otherwise) const {
  const std::string name = key(spelling);
  if (!name.empty())
    if (const auto v = file_.metadata.u64(name)) {
      if (*v < static_cast<uint64_t>(low) || *v > static_cast<uint64_t>(high))
        fail(text("key '{}' is {}, expected a number from {} to {}", name, *v, low, high));
      return static_cast<int64_t>(*v);
    }
  if (!otherwise) fail(text("key '{}' is missing; the model cannot be run without it", name));
  return *otherwise;
}

double Loader::number(const Spelling& spelling, double low, double high,
                      std::optional<double> otherwise) const {
  const std::string name = key(spelling);
  if (!name.empty())
    if (const auto v = file_.metadata.number(name)) {
      if (!(*v >= low && *v <= high))
        fail(text("key '{}' is {}, expected a number from {} to {}", name, *v, low, high));
      return *v;
    }
  if (!otherwise) fail(text("key '{}' is missing; the model cannot be run without it", name));
  return *otherwise;
}

bool Loader::has_keys(const std::string& prefix) const {
  for (const auto& item : file_.metadata.items())
    if (item.first.rfind(prefix, 0) == 0) return true;
  return false;
}

std::string Loader::layer_name(const Spelling& s, int layer) const {
  std::string out = key(s);
  if (const size_t at = out.find("{}"); at != std::string::npos) out.replace(at, 2, std::to_string(layer));
  return out;
}

const TensorInfo& Loader::tensor(const std::string& name, const std::vector<int64_t>& shape) const {
  const TensorInfo* t = file_.find(name);
  if (!t) fail(text("tensor '{}' is missing, expected with shape {}", name, shape_text(shape)));
  if (t->shape != shape)
    fail(text("tensor '{}' has shape {}, expected {}; the file and its config disagree, re-convert it", name,
              shape_text(t->shape), shape_text(shape)));
  read_.insert(name);
  return *t;
}

const Matrix& Loader::place(const std::string& name, const TensorInfo& t, Matrix matrix, int stored,
                            Orientation orientation, int64_t heads, RowOrder order) {
  Matrix& m = weights_.matrices.emplace_back(std::move(matrix));
  weights_.packed_bytes += image_.add(m, t, stored, kernels_, order, m.rows / heads);
  weights_.named.push_back({name, t.name, orientation, &m, nullptr, heads});
  return m;
}

const Matrix& Loader::matrix(const std::string& name, const std::string& tensor_name, int64_t rows,
                             int64_t cols, Orientation orientation, int64_t heads, RowOrder order) {
  const TensorInfo& t = tensor(tensor_name, {rows, cols});
  Matrix m = make_matrix(file_, t, kernels_, rows, cols);
  const int stored = m.quant;
  return place(name, t, std::move(m), stored, orientation, heads, order);
}

const Matrix& Loader::head(const std::string& tensor_name, int64_t rows, int64_t cols) {
  const TensorInfo& t = tensor(tensor_name, {rows, cols});
  Matrix m = make_matrix(file_, t, kernels_, rows, cols);
  const int stored = m.quant;
  if (requantises_head()) keep_as(m, unembed_type_, kernels_);
  return place("unembed.W_U", t, std::move(m), stored, Orientation::transposed, 1, nullptr);
}

std::string Loader::tensor_of(const Matrix& m) const {
  for (const NamedWeight& w : weights_.named)
    if (w.matrix == &m) return w.tensor;
  return "";
}

void Loader::name_again(const std::string& name, const Matrix& m, Orientation orientation) {
  weights_.named.push_back({name, tensor_of(m), orientation, &m, nullptr, 1});
}

const std::vector<float>& Loader::vector(const std::string& name, const std::string& tensor_name, int64_t n,
                                         float add, int64_t heads, RowOrder order) {
  const std::vector<float> stored = read_vector(file_, tensor(tensor_name, {n}), kernels_);
  std::vector<float>& out = weights_.vectors.emplace_back(stored);
  if (order)
    for (int64_t i = 0; i < n; ++i) out[i] = stored[order(i, n / heads)];
  if (add != 0.0f)
    for (float& v : out) v += add;
  weights_.named.push_back({name, tensor_name, Orientation::vector, nullptr, &out, heads});
  return out;
}

void Loader::finish(const std::vector<std::string>& harmless) const {
  for (const TensorInfo& t : file_.tensors)
    if (!read_.count(t.name))
      fail(text(
          "tensor '{}' is not understood by this architecture; running without it would be a different model",
          t.name));
  for (const std::string& k : file_.metadata.unread()) {
    bool fine = false;
    for (const std::string& h : harmless) fine = fine || k == h || (h.back() == '.' && k.rfind(h, 0) == 0);
    if (!fine)
      fail(text("config key '{}' is not understood; running without it might be a different model", k));
  }
}

namespace {
#define ARCH(name)                                       \
  }                                                      \
  bool name##_recognises(const std::string&, bool gguf); \
  void name##_build(Loader&, Config&, Plan&);            \
  namespace {
#include "arch/archs.def"
#undef ARCH

const Architecture kArchitectures[] = {
#define ARCH(name) {#name, &name##_recognises, &name##_build},
#include "arch/archs.def"
#undef ARCH
};
}  // namespace

const Architecture& architecture_of(const Checkpoint& file) {
  const bool gguf = file.format == "gguf";
  const std::string key = gguf ? "general.architecture" : "model_type";
  const auto arch = file.metadata.string(key);
  std::string known;
  for (const Architecture& a : kArchitectures) {
    if (arch && a.recognises(*arch, gguf)) return a;
    known += (known.empty() ? "" : ", ") + std::string(a.name);
  }
  if (!arch)
    throw FormatError(text("{}: key '{}' is missing, so the architecture is unknown", file.path, key));
  throw FormatError(
      text("{}: architecture '{}' is not supported; this version runs {}", file.path, *arch, known));
}

}  // namespace cutaway
