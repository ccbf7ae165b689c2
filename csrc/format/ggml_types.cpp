#include "format/ggml_types.h"

namespace cutaway {
namespace {

constexpr GgmlType kTypes[] = {
#define GGML_TYPE(name, id, elements, bytes) {#name, id, elements, bytes},
#include "format/ggml_types.def"
#undef GGML_TYPE
};

}  // namespace

std::span<const GgmlType> ggml_types() { return kTypes; }

const GgmlType* ggml_type(uint32_t id) {
  for (const GgmlType& type : kTypes) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

const GgmlType* ggml_type(std::string_view name) {
  for (const GgmlType& type : kTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

std::string ggml_type_names() {
  std::string out;
  for (const GgmlType& type : kTypes) out += (out.empty() ? "" : ", ") + std::string(type.name);
  return out;
}

}  // namespace cutaway
