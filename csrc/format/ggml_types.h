// Names, ids and block sizes of ggml's tensor types (ggml_types.def).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cutaway {

struct GgmlType {
  const char* name;   // "Q4_1"
  uint32_t id;        // in a GGUF file
  uint64_t elements;  // per block
  uint64_t bytes;     // per block
};

std::span<const GgmlType> ggml_types();
const GgmlType* ggml_type(uint32_t id);            // nullptr when unknown
const GgmlType* ggml_type(std::string_view name);  // nullptr when unknown
std::string ggml_type_names();                     // "F32, F16, ...", for messages

}  // namespace cutaway
