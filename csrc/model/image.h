// The packed matrices of a model as one run of bytes: in memory, or in a file that is mapped. Each matrix
// begins at a multiple of a page, tiles follow each other without gaps, and what is between two matrices is
// zero.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "model/weights.h"

namespace cutaway {

// A matrix of the image: where it comes from and where its tiles begin.
struct Placed {
  Matrix* matrix;
  const TensorInfo* tensor;
  RowOrder order;
  int64_t d_head;  // rows that `order` keeps together
  int stored;      // how the file has it; matrix->quant, unless that is requantised
  uint64_t offset, bytes, tile_bytes, row_bytes;  // row_bytes: of the file
};

class Image {
 public:
  // Gives a matrix its place; returns the bytes of its tiles.
  uint64_t add(Matrix& matrix, const TensorInfo& tensor, int stored, const kernels::Table& kernels,
               RowOrder order, int64_t d_head);
  const std::vector<Placed>& matrices() const { return matrices_; }
  uint64_t bytes() const { return bytes_; }

  // Reads and packs everything into private memory. FormatError when the file has become shorter.
  std::shared_ptr<const uint8_t> pack(const Checkpoint& file, const kernels::Table& kernels,
                                      int threads) const;
  // The same bytes into an open file, from offset `begin` on, a multiple of 2 MiB: written, not mapped, so
  // that a full disk is an answer and not a signal. False when they cannot be written.
  bool pack_into(int fd, uint64_t begin, const Checkpoint& file, const kernels::Table& kernels,
                 int threads) const;
  // Every matrix gets its tiles, and with them a share of the image.
  void give_tiles(const std::shared_ptr<const uint8_t>& image) const;

 private:
  std::vector<Placed> matrices_;
  uint64_t bytes_ = 0;
};

}  // namespace cutaway
