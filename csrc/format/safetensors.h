// One safetensors file; a folder of them is put together in folder.cpp.
#pragma once
#include <string>
#include <vector>

#include "format/builder.h"
#include "format/file.h"

namespace cutaway::format {

// Reads and checks the header, appends the file and its tensors (in the order of their bytes) to the builder
// and returns the strings of `__metadata__`.
std::vector<Metadata::Item> read_safetensors(File file, CheckpointBuilder& builder);

}  // namespace cutaway::format
