#include "model/weights.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/float_environment.h"

namespace cutaway {
namespace {

using kernels::kLanes;

// The index of a weight type, or an error that names the tensor and what is supported.
int quant_index(const Checkpoint& file, const TensorInfo& tensor, const kernels::Table& kernels) {
  std::string known;
  for (int i = 0; i < kernels.n_quants; ++i) {
    if (tensor.type == kernels.quants[i].name) return i;
    known += (i ? ", " : "") + std::string(kernels.quants[i].name);
  }
  throw FormatError(
      text("{}: tensor '{}' is stored as {}, which this version cannot compute with; supported: {}",
           file.path, tensor.name, tensor.type, known));
}

}  // namespace

std::vector<int64_t> NamedWeight::shape() const {
  if (orientation == Orientation::vector) {
    const int64_t n = static_cast<int64_t>(vector->size());
    return heads > 1 ? std::vector<int64_t>{heads, n / heads} : std::vector<int64_t>{n};
  }
  const int64_t rows = matrix->rows, cols = matrix->cols;
  switch (orientation) {
    case Orientation::plain:
      return {rows, cols};
    case Orientation::transposed:
      return {cols, rows};
    case Orientation::heads_in:
      return {heads, cols, rows / heads};
    default:
      return {heads, cols / heads, rows};
  }
}

void decode_weight(const NamedWeight& w, const kernels::Table& kernels, float* out) {
  const FloatEnvironment scope;  // called outside a region
  if (w.orientation == Orientation::vector) {
    std::copy(w.vector->begin(), w.vector->end(), out);
    return;
  }
  const Matrix& m = *w.matrix;
  const kernels::Quant& q = kernels.quants[m.quant];
  const int64_t rows = m.rows, cols = m.cols, d_head = rows / w.heads;
  std::vector<float> tile(cols * kLanes);
  for (int64_t t = 0; t < m.n_tiles(); ++t) {
    q.decode_tile(tile.data(), m.tile(q, t), cols);
    for (int64_t lane = 0; lane < kLanes && t * kLanes + lane < rows; ++lane) {
      const int64_t r = t * kLanes + lane;
      for (int64_t c = 0; c < cols; ++c) {
        int64_t at;
        switch (w.orientation) {
          case Orientation::plain:
            at = r * cols + c;
            break;
          case Orientation::heads_in:
            at = (r / d_head * cols + c) * d_head + r % d_head;
            break;
          default:
            at = c * rows + r;  // transposed and heads_out: [heads * d_head, rows]
        }
        out[at] = tile[c * kLanes + lane];
      }
    }
  }
}

void decode_row(const Matrix& m, const kernels::Table& kernels, int64_t row, float* out, float* scratch) {
  const kernels::Quant& q = kernels.quants[m.quant];
  q.decode_tile(scratch, m.tile(q, row / kLanes), m.cols);
  const int64_t lane = row % kLanes;
  for (int64_t c = 0; c < m.cols; ++c) out[c] = scratch[c * kLanes + lane];
}

Matrix make_matrix(const Checkpoint& file, const TensorInfo& tensor, const kernels::Table& kernels,
                   int64_t rows, int64_t cols) {
  Matrix m;
  m.quant = quant_index(file, tensor, kernels);
  m.rows = rows;
  m.cols = cols;
  m.type = tensor.type;
  if (const kernels::Quant& q = kernels.quants[m.quant]; cols % q.block)
    throw FormatError(text("{}: tensor '{}' has rows of {} weights, expected a multiple of {} for {}",
                           file.path, tensor.name, cols, q.block, tensor.type));
  return m;
}

void keep_as(Matrix& m, const std::string& type, const kernels::Table& kernels) {
  std::string known;
  for (int i = 0; i < kernels.n_quants; ++i) {
    const kernels::Quant& q = kernels.quants[i];
    if (!q.encode) continue;
    known += (known.empty() ? "'" : ", '") + std::string(q.name) + "'";
    if (type != q.name) continue;
    if (m.cols % q.block)
      throw ArgumentError(
          text("unembed_type is '{}', whose blocks hold {} weights; the rows of the head have {}", type,
               q.block, m.cols));
    m.quant = i;
    m.type = type;
    return;
  }
  throw ArgumentError(text("unembed_type is '{}', expected {}", type, known));
}

std::vector<float> read_vector(const Checkpoint& file, const TensorInfo& tensor,
                               const kernels::Table& kernels) {
  const kernels::Quant& q = kernels.quants[quant_index(file, tensor, kernels)];
  int64_t n = 1;
  for (int64_t d : tensor.shape) n *= d;
  if (n % q.block)
    throw FormatError(text("{}: tensor '{}' has {} weights, expected a multiple of {} for {}", file.path,
                           tensor.name, n, q.block, tensor.type));
  std::vector<uint8_t> bytes(n / q.block * q.block_bytes);
  file.read(tensor, 0, bytes.size(), bytes.data());
  std::vector<float> out(n);
  q.decode(out.data(), bytes.data(), n);
  return out;
}

}  // namespace cutaway
