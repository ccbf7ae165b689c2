// Weights as they lie in memory: packed tiles of 16 output rows, one layout for every instruction set.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "format/checkpoint.h"
#include "kernels.h"

namespace cutaway {

// A linear layer: y = W x, W: [rows, cols].
struct Matrix {
  int quant = 0;  // index into kernels::Table::quants
  int64_t rows = 0, cols = 0;
  std::string type;                      // ggml's spelling
  std::shared_ptr<const uint8_t> tiles;  // ceil(rows / 16) tiles: a part of the model's image
  const uint8_t* tile(const kernels::Quant& q, int64_t t) const {
    return tiles.get() + t * q.tile_bytes(cols);
  }
  int64_t n_tiles() const { return (rows + kernels::kLanes - 1) / kernels::kLanes; }
};

// How TransformerLens shapes a weight that is stored as [rows, cols].
enum class Orientation {
  plain,       // [rows, cols]                                   W_E
  transposed,  // [cols, rows]                                   W_in, W_gate, W_out, W_U
  heads_in,    // [heads, cols, d_head], rows = heads * d_head   W_Q, W_K, W_V
  heads_out,   // [heads, d_head, rows], cols = heads * d_head   W_O
  vector,      // [n] or [heads, d_head]                         b_*, w
};

struct NamedWeight {
  std::string name;    // TransformerLens's
  std::string tensor;  // the file's
  Orientation orientation;
  const Matrix* matrix = nullptr;  // or
  const std::vector<float>* vector = nullptr;
  int64_t heads = 1;
  std::vector<int64_t> shape() const;
};

// All weights of a model, with stable addresses.
struct Weights {
  std::deque<Matrix> matrices;
  std::deque<std::vector<float>> vectors;
  std::vector<NamedWeight> named;
  uint64_t packed_bytes = 0;
};

// The exact decoded values of one weight in its orientation. out: product of shape() values.
void decode_weight(const NamedWeight& weight, const kernels::Table& kernels, float* out);

// One row of a matrix, exact. out: [cols]; scratch: [cols, 16].
void decode_row(const Matrix& m, const kernels::Table& kernels, int64_t row, float* out, float* scratch);

// The file's row for our row, where a container stores rows in another order; null: the same.
using RowOrder = int64_t (*)(int64_t row, int64_t d_head);

// A tensor of a checkpoint as a matrix, still without its tiles. FormatError when it is not one of ours.
Matrix make_matrix(const Checkpoint& file, const TensorInfo& tensor, const kernels::Table& kernels,
                   int64_t rows, int64_t cols);
// Lets it be kept in another type than the file's. ArgumentError when that cannot be.
void keep_as(Matrix& matrix, const std::string& type, const kernels::Table& kernels);

// A small tensor as float32, exact.
std::vector<float> read_vector(const Checkpoint& file, const TensorInfo& tensor,
                               const kernels::Table& kernels);

}  // namespace cutaway
