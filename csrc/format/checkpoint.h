// A checkpoint: the metadata and the tensor directory of one model file or folder, checked in full before
// anything else sees it, and the means to read a tensor's bytes. Every container becomes this.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "format/file.h"

namespace cutaway {

// One metadata value. Integers of every width are widened to 64 bits, floats to double; `type` keeps the
// file's own name of the type: GGUF "u8" "i8" "u16" "i16" "u32" "i32" "u64" "i64" "f32" "f64" "bool" "string"
// "array[u32]" ...; config.json "int" "float" "bool" "string" "array[int]" ..., "array[]" (empty, held as
// strings), "json" (an array that is not one of scalars of one kind: its text), and "null" and "object" (null
// and {}: they count as absent, find() returns nullptr, but they are in items()). Strings keep the file's
// bytes; in GGUF values they need not be UTF-8.
struct MetaValue {
  std::string type;
  std::variant<bool, int64_t, uint64_t, double, std::string,                    // scalars
               std::vector<bool>, std::vector<int64_t>, std::vector<uint64_t>,  // arrays
               std::vector<double>, std::vector<std::string>>
      value;
};

// Metadata with typed look-ups. A key of the wrong type raises FormatError naming the file, the key, what was
// found and what was expected. A key that was looked up counts as read: see unread().
class Metadata {
 public:
  using Item = std::pair<std::string, MetaValue>;
  explicit Metadata(std::string path = {}) : path_(std::move(path)) {}
  // FormatError on a duplicate or empty key. Linear in the number of keys: a reader of files uses adopt().
  void add(std::string key, MetaValue value);
  void adopt(std::vector<Item> items);  // all at once, into an empty Metadata; the same errors
  bool has(const std::string& key) const { return find(key) != nullptr; }
  const MetaValue* find(const std::string& key) const;  // nullptr when absent

  std::optional<bool> boolean(const std::string& key) const;
  std::optional<uint64_t> u64(const std::string& key) const;   // any integer >= 0
  std::optional<double> number(const std::string& key) const;  // any integer or float; must be finite
  std::optional<std::string> string(const std::string& key) const;
  const std::vector<std::string>* strings(const std::string& key) const;       // nullptr when absent
  std::optional<std::vector<int64_t>> integers(const std::string& key) const;  // any integer array
  std::optional<std::vector<double>> numbers(const std::string& key) const;    // any integer or float array
  std::vector<std::string> unread() const;  // keys nobody asked for, in file order

  const std::vector<Item>& items() const { return items_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<Item> items_;      // in file order
  std::vector<uint32_t> order_;  // positions in items_, by key (names.h)
  mutable std::vector<bool> read_;
};

struct TensorInfo {
  std::string name;
  std::string type;  // ggml's spelling for every container: "F32", "F16", "BF16", "Q4_1", "F64", "I32"
  std::vector<int64_t> shape;  // outermost first, as in NumPy: a linear layer is [rows (out), cols (in)]
  uint64_t offset = 0;         // of the first byte, in its file
  uint64_t bytes = 0;
  int file = 0;  // index into Checkpoint::files
};

class Checkpoint {
 public:
  std::string path;                 // absolute; what model.info()["path"] shows
  std::string format;               // "gguf" | "safetensors"
  int version = 0;                  // GGUF version; 0 for safetensors
  Metadata metadata;                // GGUF keys, or the keys of config.json
  std::vector<TensorInfo> tensors;  // in file order
  std::vector<std::string> files;   // absolute paths

  const TensorInfo* find(const std::string& name) const;  // nullptr when absent
  // Reads bytes [begin, begin + n) of a tensor into out with pread; FormatError if the file has shrunk since.
  // Safe from several threads.
  void read(const TensorInfo& tensor, uint64_t begin, uint64_t n, void* out) const;
  std::vector<format::Stamp> stamps() const;  // of `files`, as they are now
  void close();                               // further reads raise

  Checkpoint();
  ~Checkpoint();
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;

 private:
  struct Handles;
  friend struct CheckpointBuilder;
  std::unique_ptr<Handles> handles_;
  std::vector<uint32_t> order_;  // positions in tensors, by name
};

// Opens a GGUF file, a .safetensors file, or a folder with config.json and safetensors (single or sharded).
// Told by magic, then by suffix. The whole header is checked here; FormatError says what is wrong and where.
Checkpoint open_checkpoint(const std::string& path);

}  // namespace cutaway
