// What a container's reader uses to make a Checkpoint.
#pragma once
#include <string_view>
#include <utility>
#include <vector>

#include "format/checkpoint.h"
#include "format/file.h"

namespace cutaway {

struct Checkpoint::Handles {
  std::vector<format::File> files;
};

struct CheckpointBuilder {
  Checkpoint checkpoint;

  // Keeps the file open for Checkpoint::read and returns its index.
  int add_file(format::File file);
  // Sorts the tensor names for find(); FormatError on a duplicate.
  void index_tensors();
};

namespace format {

// What a path is, before anybody opens it as something.
struct Probe {
  std::string path;    // absolute
  std::string suffix;  // ".gguf", lower case
  std::string head;    // the first 32 bytes, fewer when the file is shorter; empty for a folder
  uint64_t size = 0;
  bool folder = false;
};

std::string absolute_path(const std::string& path);

// The smallest multiple of `alignment` (a power of two) that is >= at; at + alignment must not overflow.
inline uint64_t align_up(uint64_t at, uint64_t alignment) { return (at + alignment - 1) & ~(alignment - 1); }

}  // namespace format
}  // namespace cutaway
