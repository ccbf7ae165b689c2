// GGUF, versions 2 and 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), little-endian:
//   "GGUF", u32 version, u64 tensor count, u64 key count
//   keys:     string key, u32 type, value                 string: u64 length, bytes
//   tensors:  string name, u32 dimensions, u64 dimension[] (innermost first), u32 ggml type, u64 offset
//   padding to general.alignment (32 unless given), then the data; a tensor's offset counts from there
//
// The header is gone through twice. The first pass allocates nothing that depends on the file: it proves that
// every length and count holds. Only then does the second pass keep anything, in containers of exactly the
// right size.
#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <limits>

#include "core/error.h"
#include "format/ggml_types.h"
#include "format/gguf.h"
#include "format/reader.h"
#include "format/utf8.h"

namespace cutaway::format {
namespace {

constexpr uint64_t kMaxNameBytes = 65535;  // the specification's bound for keys
constexpr uint32_t kMaxDims = 4;           // ggml's
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMaxDataBytes = 1ULL << 50;  // no file is that long, and sums of this size do not wrap
constexpr uint64_t kSmallestKey = 8 + 4 + 1;    // empty key, u8
constexpr uint64_t kSmallestTensor = 8 + 4 + 8 + 4 + 8;  // empty name, one dimension

enum class Type : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
struct TypeFacts {
  const char* name;
  uint64_t bytes;  // in the file; of a string or array: the least
};
constexpr TypeFacts kTypes[] = {{"u8", 1},  {"i8", 1},  {"u16", 2},  {"i16", 2},    {"u32", 4},
                                {"i32", 4}, {"f32", 4}, {"bool", 1}, {"string", 8}, {"array", 12},
                                {"u64", 8}, {"i64", 8}, {"f64", 8}};

class GgufReader {
 public:
  explicit GgufReader(const File& file) : file_(file), reader_(file) {}

  // keep = false: check only; keep = true: fill metadata and tensors.
  void pass(bool keep);

  int version = 0;
  uint64_t header_end = 0;
  std::vector<Metadata::Item> items;
  std::vector<TensorInfo> tensors;  // offset: as the file says it, from the start of the data

 private:
  void read_counts();
  void read_key(uint64_t i, bool keep);
  MetaValue read_value(Type type, bool keep);
  void read_array(MetaValue& out, bool keep);
  void read_tensor(uint64_t i, bool keep);
  Type read_type();
  std::string read_name(const char* of);
  std::string read_string(bool keep);
  bool read_bool();
  template <class Stored, class Wide>
  void read_numbers(MetaValue& out, uint64_t n, bool keep);

  const File& file_;
  Reader reader_;
  uint64_t n_tensors_ = 0, n_keys_ = 0;
};

void GgufReader::read_counts() {
  reader_ = Reader(file_);
  std::array<char, 4> magic{};
  reader_.bytes(4, magic.data());
  if (std::string_view(magic.data(), 4) != "GGUF") {
    reader_.fail_at(
        0, text("the magic is '{}', expected 'GGUF'; this is not a GGUF file or its start is damaged",
                shown({magic.data(), 4})));
  }
  const uint32_t stored = reader_.number<uint32_t>();
  if (stored != 2 && stored != 3) {
    if (stored != 0 && (stored & 0xFFFF) == 0) {
      reader_.fail_at(
          4,
          "the file is big-endian, expected a little-endian GGUF; convert the model for little-endian "
          "machines");
    }
    reader_.fail_at(
        4, text("GGUF version {}, expected 2 or 3; {}", stored,
                stored == 1 ? "version 1 was withdrawn, convert the model again" : "is the file damaged?"));
  }
  version = static_cast<int>(stored);
  n_tensors_ = reader_.count("tensors", kSmallestTensor);
  n_keys_ = reader_.count("keys", kSmallestKey);
}

std::string GgufReader::read_name(const char* of) {
  const uint64_t offset = reader_.at();
  const uint64_t n = reader_.count("bytes", 1);
  if (n > kMaxNameBytes)
    reader_.fail_at(offset, text("{} of {} bytes, expected at most {}", of, n, kMaxNameBytes));
  std::string out(static_cast<size_t>(n), '\0');
  reader_.bytes(n, out.data());
  if (out.empty()) reader_.fail_at(offset, text("the {} is empty", of));
  if (!valid_utf8(out)) reader_.fail_at(offset, text("the {} '{}' is not valid UTF-8", of, shown(out)));
  return out;
}

std::string GgufReader::read_string(bool keep) {
  const uint64_t n = reader_.count("bytes", 1);
  std::string out;
  if (keep) {
    out.resize(static_cast<size_t>(n));
    reader_.bytes(n, out.data());
  } else {
    reader_.skip(n);
  }
  return out;
}

bool GgufReader::read_bool() {
  const uint8_t byte = reader_.number<uint8_t>();
  if (byte > 1) reader_.fail_at(reader_.at() - 1, text("a bool holds {}, expected 0 or 1", int{byte}));
  return byte == 1;
}

Type GgufReader::read_type() {
  const uint32_t id = reader_.number<uint32_t>();
  if (id >= std::size(kTypes)) {
    reader_.fail_at(reader_.at() - 4, text("value type {}, expected 0 to {}", id, std::size(kTypes) - 1));
  }
  return static_cast<Type>(id);
}

template <class Stored, class Wide>
void GgufReader::read_numbers(MetaValue& out, uint64_t n, bool keep) {
  if (!keep) return reader_.skip(n * sizeof(Stored));  // n was checked against the bytes that are left
  std::vector<Wide> values(static_cast<size_t>(n));
  for (Wide& value : values) value = static_cast<Wide>(reader_.number<Stored>());
  out.value = std::move(values);
}

void GgufReader::read_array(MetaValue& out, bool keep) {
  const Type type = read_type();
  if (type == Type::array)
    reader_.fail_at(reader_.at() - 4, "an array of arrays; nested arrays are not supported");
  const TypeFacts& facts = kTypes[static_cast<size_t>(type)];
  const uint64_t n = reader_.count("elements", facts.bytes);
  if (keep) out.type = "array[" + std::string(facts.name) + "]";
  switch (type) {
    case Type::u8:
      return read_numbers<uint8_t, uint64_t>(out, n, keep);
    case Type::i8:
      return read_numbers<int8_t, int64_t>(out, n, keep);
    case Type::u16:
      return read_numbers<uint16_t, uint64_t>(out, n, keep);
    case Type::i16:
      return read_numbers<int16_t, int64_t>(out, n, keep);
    case Type::u32:
      return read_numbers<uint32_t, uint64_t>(out, n, keep);
    case Type::i32:
      return read_numbers<int32_t, int64_t>(out, n, keep);
    case Type::u64:
      return read_numbers<uint64_t, uint64_t>(out, n, keep);
    case Type::i64:
      return read_numbers<int64_t, int64_t>(out, n, keep);
    case Type::f32:
      return read_numbers<float, double>(out, n, keep);
    case Type::f64:
      return read_numbers<double, double>(out, n, keep);
    case Type::boolean: {
      std::vector<bool> values(keep ? static_cast<size_t>(n) : 0);
      for (uint64_t i = 0; i < n; ++i) {
        const bool value = read_bool();
        if (keep) values[static_cast<size_t>(i)] = value;
      }
      if (keep) out.value = std::move(values);
      return;
    }
    default: {
      std::vector<std::string> values;
      if (keep) values.reserve(static_cast<size_t>(n));
      for (uint64_t i = 0; i < n; ++i) {
        std::string value = read_string(keep);
        if (keep) values.push_back(std::move(value));
      }
      if (keep) out.value = std::move(values);
      return;
    }
  }
}

MetaValue GgufReader::read_value(Type type, bool keep) {
  MetaValue out;
  if (keep) out.type = kTypes[static_cast<size_t>(type)].name;
  switch (type) {
    case Type::u8:
      out.value = uint64_t{reader_.number<uint8_t>()};
      break;
    case Type::i8:
      out.value = int64_t{reader_.number<int8_t>()};
      break;
    case Type::u16:
      out.value = uint64_t{reader_.number<uint16_t>()};
      break;
    case Type::i16:
      out.value = int64_t{reader_.number<int16_t>()};
      break;
    case Type::u32:
      out.value = uint64_t{reader_.number<uint32_t>()};
      break;
    case Type::i32:
      out.value = int64_t{reader_.number<int32_t>()};
      break;
    case Type::u64:
      out.value = reader_.number<uint64_t>();
      break;
    case Type::i64:
      out.value = reader_.number<int64_t>();
      break;
    case Type::f32:
      out.value = double{reader_.number<float>()};
      break;
    case Type::f64:
      out.value = reader_.number<double>();
      break;
    case Type::boolean:
      out.value = read_bool();
      break;
    case Type::string:
      out.value = read_string(keep);
      break;
    case Type::array:
      read_array(out, keep);
      break;
  }
  return out;
}

void GgufReader::read_key(uint64_t i, bool keep) {
  reader_.context("key", i);
  std::string key = read_name("key");
  reader_.context("key", key);
  MetaValue value = read_value(read_type(), keep);
  if (keep) items.emplace_back(std::move(key), std::move(value));
}

void GgufReader::read_tensor(uint64_t i, bool keep) {
  reader_.context("tensor", i);
  TensorInfo tensor;
  tensor.name = read_name("tensor name");
  reader_.context("tensor", tensor.name);
  const uint32_t n_dims = reader_.number<uint32_t>();
  if (n_dims < 1 || n_dims > kMaxDims) {
    reader_.fail_at(reader_.at() - 4, text("{} dimensions, expected 1 to {}", n_dims, kMaxDims));
  }
  std::array<uint64_t, kMaxDims> dims{1, 1, 1, 1};
  uint64_t elements = 1;
  for (uint32_t d = 0; d < n_dims; ++d) {
    dims[d] = reader_.number<uint64_t>();
    if (dims[d] == 0) reader_.fail_at(reader_.at() - 8, text("dimension {} is 0, expected at least 1", d));
    if (dims[d] > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / elements) {
      reader_.fail_at(reader_.at() - 8,
                      text("dimension {} is {}: the tensor would have more than 2^63 elements", d, dims[d]));
    }
    elements *= dims[d];
  }
  const uint32_t id = reader_.number<uint32_t>();
  const GgmlType* type = ggml_type(id);
  if (!type) {
    reader_.fail_at(reader_.at() - 4, text("ggml type {} is not known; known are {}", id, ggml_type_names()));
  }
  if (dims[0] % type->elements != 0) {
    reader_.fail_at(reader_.at() - 4,
                    text("rows of {} elements, but type {} has blocks of {}; rows must be whole blocks",
                         dims[0], type->name, type->elements));
  }
  const uint64_t blocks = elements / type->elements;
  if (blocks > kMaxDataBytes / type->bytes) {
    reader_.fail_at(reader_.at() - 4, text("{} blocks of {} bytes ({}) cannot fit in any file", blocks,
                                           type->bytes, type->name));
  }
  tensor.bytes = blocks * type->bytes;
  tensor.offset = reader_.number<uint64_t>();
  if (!keep) return;
  tensor.type = type->name;
  for (uint32_t d = n_dims; d-- > 0;) tensor.shape.push_back(static_cast<int64_t>(dims[d]));
  tensors.push_back(std::move(tensor));
}

void GgufReader::pass(bool keep) {
  const uint64_t n_tensors = n_tensors_, n_keys = n_keys_;
  read_counts();
  if (keep) {
    if (n_tensors != n_tensors_ || n_keys != n_keys_) {
      reader_.fail("the counts have changed; the file was changed while it was read");
    }
    items.reserve(static_cast<size_t>(n_keys_));
    tensors.reserve(static_cast<size_t>(n_tensors_));
  }
  for (uint64_t i = 0; i < n_keys_; ++i) read_key(i, keep);
  for (uint64_t i = 0; i < n_tensors_; ++i) read_tensor(i, keep);
  header_end = reader_.at();
}

uint64_t alignment_of(const Metadata& metadata) {
  const MetaValue* found = metadata.find("general.alignment");
  if (!found) return kDefaultAlignment;
  if (found->type != "u32") {
    throw FormatError(text("{}: key 'general.alignment' has the type {}, expected u32",
                           shown(metadata.path()), found->type));
  }
  const uint64_t alignment = std::get<uint64_t>(found->value);
  if (!std::has_single_bit(alignment)) {
    throw FormatError(text("{}: key 'general.alignment' is {}, expected a power of two",
                           shown(metadata.path()), alignment));
  }
  return alignment;
}

// Tensors lie in the order of the directory, each at the next aligned byte, from offset 0, inside the file.
// Turns offsets into offsets in the file.
void place(std::vector<TensorInfo>& tensors, uint64_t header_end, uint64_t alignment, const std::string& path,
           uint64_t file_size) {
  const uint64_t data = align_up(header_end, alignment);
  uint64_t next = 0, end = 0;
  for (TensorInfo& tensor : tensors) {
    const auto fail = [&](const std::string& problem) {
      throw FormatError(text("{}: tensor '{}': {}", shown(path), shown(tensor.name), problem));
    };
    if (tensor.offset % alignment != 0) {
      fail(text("offset {} is not a multiple of the alignment {}", tensor.offset, alignment));
    }
    if (tensor.offset != next) {
      fail(text("offset {}, expected {}: tensors must lie in order, {}", tensor.offset, next,
                tensor.offset < next ? "without overlap" : "without a gap"));
    }
    tensor.offset = data + next;
    end = tensor.offset + tensor.bytes;
    if (end > kMaxDataBytes) fail(text("ends at byte {}; no file is that long, this one is damaged", end));
    next = align_up(next + tensor.bytes, alignment);
  }
  if (end > file_size) {
    throw FormatError(text("{}: the file is cut short: {} of {} bytes are missing; fetch it again",
                           shown(path), end - file_size, end));
  }
}

}  // namespace

bool looks_like_gguf(const Probe& probe) { return probe.head.compare(0, 4, "GGUF") == 0; }
bool suffix_is_gguf(const Probe& probe) { return probe.suffix == ".gguf"; }

GgufFile read_gguf(const std::string& path) {
  GgufFile out;
  out.file = File(path);
  GgufReader header(out.file);
  header.pass(false);
  header.pass(true);
  out.version = header.version;
  out.metadata = Metadata(path);
  out.metadata.adopt(std::move(header.items));
  out.tensors = std::move(header.tensors);
  place(out.tensors, header.header_end, alignment_of(out.metadata), path, out.file.size());
  return out;
}

Checkpoint open_gguf(const Probe& probe) { return open_gguf(probe.path); }

Checkpoint open_gguf(const std::string& path) {
  std::vector<GgufFile> parts;
  parts.push_back(read_gguf(path));
  if (is_part(parts[0])) parts = read_parts(std::move(parts[0]));

  CheckpointBuilder builder;
  Checkpoint& out = builder.checkpoint;
  out.path = parts[0].file.path();
  out.format = "gguf";
  out.version = parts[0].version;
  out.metadata = std::move(parts[0].metadata);
  for (GgufFile& part : parts) {
    const int index = builder.add_file(std::move(part.file));
    for (TensorInfo& tensor : part.tensors) tensor.file = index;
    if (index == 0)
      out.tensors = std::move(part.tensors);
    else
      std::move(part.tensors.begin(), part.tensors.end(), std::back_inserter(out.tensors));
  }
  builder.index_tensors();
  return std::move(builder.checkpoint);
}

}  // namespace cutaway::format
