// The tensor directory of a checkpoint and the reading of tensor bytes. How the parts got here: gguf.cpp,
// safetensors.cpp.
#include "format/checkpoint.h"

#include "core/error.h"
#include "format/builder.h"
#include "format/names.h"
#include "format/utf8.h"

namespace cutaway {
namespace {

auto tensor_name(const std::vector<TensorInfo>& tensors) {
  return [&tensors](uint32_t i) -> const std::string& { return tensors[i].name; };
}

}  // namespace

Checkpoint::Checkpoint() : handles_(std::make_unique<Handles>()) {}
Checkpoint::~Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;

const TensorInfo* Checkpoint::find(const std::string& name) const {
  const auto at = format::find_name(order_, name, tensor_name(tensors));
  return at ? &tensors[*at] : nullptr;
}

void Checkpoint::read(const TensorInfo& tensor, uint64_t begin, uint64_t n, void* out) const {
  if (begin > tensor.bytes || n > tensor.bytes - begin) {
    throw ArgumentError(text("{}: tensor '{}' has {} bytes; cannot read {} bytes at {}", format::shown(path),
                             format::shown(tensor.name), tensor.bytes, n, begin));
  }
  if (n == 0) return;
  const auto file = static_cast<size_t>(tensor.file);
  if (!handles_ || file >= handles_->files.size()) {
    throw FormatError(text("{}: was closed; open it again to read tensor '{}'", format::shown(path),
                           format::shown(tensor.name)));
  }
  handles_->files[file].read(tensor.offset + begin, n, out);
}

std::vector<format::Stamp> Checkpoint::stamps() const {
  std::vector<format::Stamp> out;
  for (const format::File& file : handles_->files) out.push_back(file.stamp());
  return out;
}

void Checkpoint::close() {
  if (handles_) handles_->files.clear();
}

int CheckpointBuilder::add_file(format::File file) {
  checkpoint.files.push_back(file.path());
  checkpoint.handles_->files.push_back(std::move(file));
  return static_cast<int>(checkpoint.files.size()) - 1;
}

void CheckpointBuilder::index_tensors() {
  const auto& tensors = checkpoint.tensors;
  checkpoint.order_ = format::sort_names(tensors.size(), tensor_name(tensors));
  if (const auto twin = format::find_duplicate(checkpoint.order_, tensor_name(tensors))) {
    const TensorInfo& tensor = tensors[*twin];
    throw FormatError(text("{}: tensor '{}' is there twice; each name must be unique",
                           format::shown(checkpoint.files[static_cast<size_t>(tensor.file)]),
                           format::shown(tensor.name)));
  }
}

}  // namespace cutaway
