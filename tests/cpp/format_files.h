// Tiny model files for the tests: byte strings in the shape of GGUF and safetensors, and a temporary file to
// put them in. Nothing here checks anything: a test may write what is wrong.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "format/checkpoint.h"

namespace cutaway::testing {

// Little-endian bytes, appended piece by piece.
struct Bytes {
  std::string s;

  template <class T>
  Bytes& put(T value) {
    s.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Bytes& u32(uint32_t v) { return put(v); }
  Bytes& u64(uint64_t v) { return put(v); }
  Bytes& raw(std::string_view v) { return s.append(v), *this; }
  Bytes& str(std::string_view v) { return u64(v.size()).raw(v); }
  Bytes& pad(size_t alignment) { return s.resize((s.size() + alignment - 1) / alignment * alignment), *this; }
};

// Ids of GGUF's value types.
enum : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

inline Bytes gguf_head(uint64_t n_tensors, uint64_t n_keys, uint32_t version = 3) {
  return Bytes().raw("GGUF").u32(version).u64(n_tensors).u64(n_keys);
}

// A valid file with every value type, an alignment of 64 and three tensors; `header_bytes` is where the data
// begins.
std::string sample_gguf(size_t* header_bytes);
// A valid file with a scalar, a zero-sized tensor, escapes and `__metadata__`.
std::string sample_safetensors(size_t* header_bytes);

// A file in a folder of its own, removed with it.
class TempFile {
 public:
  explicit TempFile(const std::string& name, std::string_view content = {});
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  const std::string& path() const { return path_; }
  std::string folder() const { return std::filesystem::path(path_).parent_path().string(); }
  void write(std::string_view content) const;  // replaces all of it
  void overwrite(uint64_t offset, std::string_view bytes) const;
  void truncate(uint64_t size) const;  // or extends with zeros

 private:
  std::string path_;
};

// Opens and reads every tensor. "" when the file is accepted, the message of the FormatError when it is
// refused. Any other exception gets through and fails the test.
std::string refusal(const std::string& path);

// Refused with a message that names the file and contains `expected`.
void expect_refused(const std::string& path, const std::string& expected);

}  // namespace cutaway::testing
