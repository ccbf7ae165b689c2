// One GGUF file, read and checked; and models that lie in several (gguf_split.cpp).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "format/builder.h"

namespace cutaway::format {

struct GgufFile {
  File file;
  int version = 0;
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // offsets count from the start of the file
};

GgufFile read_gguf(const std::string& path);
// The model of which `path` is the file, or any part.
Checkpoint open_gguf(const std::string& path);

// The name of one part of a model, "<stem>-00002-of-00003.gguf".
struct PartName {
  std::string stem;  // with its folder
  uint64_t number = 0, count = 0;
  std::string path() const;
};
std::optional<PartName> part_name(const std::string& path);

// Is this file one of several that hold a model together? FormatError where its keys contradict one another.
bool is_part(const GgufFile& file);
// All parts of the model, the first part first. `one` is any of them.
std::vector<GgufFile> read_parts(GgufFile one);

}  // namespace cutaway::format
