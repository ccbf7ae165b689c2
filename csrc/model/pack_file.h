// The pack file: the image of a model's weights in cutaway's own cache, written once, then mapped by every
// process that loads the model. Whatever goes wrong with it, the weights are packed in memory instead, and
// nobody is told; Model::pack_path() says which it was.
#pragma once
#include <memory>
#include <string>

#include "format/checkpoint.h"
#include "model/image.h"

namespace cutaway {

struct PackOptions {
  std::string folder;                  // of pack files, made when the first is written; empty: none
  uint64_t least = uint64_t{4} << 20;  // bytes; smaller images are packed each time
  double settled = 2.0;  // seconds a model file must have been left alone: its times could not tell a later
                         // change from the last one otherwise
};

struct PackedWeights {
  std::shared_ptr<const uint8_t> image;
  std::string path;  // of the pack file it is mapped from; empty: private memory
};

// Maps the pack file of this model, or writes it, or packs in memory. MemoryLimitError when the weights do
// not fit into what is free; FormatError when the model's file has become shorter.
PackedWeights pack_weights(const Checkpoint& file, const Image& image, const kernels::Table& kernels,
                           int threads, const PackOptions& options);

// What lies in a pack folder, for people.
struct PackReport {
  std::string model;  // empty where the file tells nothing
  std::string state;  // "ready" | "changed" | "gone" (the model's file) | "other version" | "damaged"
};
PackReport report_pack(const std::string& path, const kernels::Table& kernels);
// Removes a pack file, or what is left of one that was not finished. False when it is being written, or
// cannot be removed.
bool remove_pack(const std::string& path);

}  // namespace cutaway
