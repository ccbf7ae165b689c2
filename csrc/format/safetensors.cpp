// safetensors (https://github.com/huggingface/safetensors#format):
//   u64 header bytes, header, data
//   header: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__":
//   {"k": "v"}}
// Offsets count from the end of the header. The tensors cover the data exactly: no hole, no overlap, nothing
// after.
//
// The header is gone through twice, as in gguf.cpp: the first pass proves that it is strict JSON and counts,
// the second keeps.
#include "format/safetensors.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "format/json.h"
#include "format/utf8.h"

namespace cutaway::format {
namespace {

constexpr size_t kMaxDims = 32;  // NumPy's bound before version 2
constexpr const char* kMetadata = "__metadata__";

struct Dtype {
  const char* name;
  uint64_t bits;
};
constexpr Dtype kDtypes[] = {
#define SAFETENSORS_TYPE(name, bits) {#name, bits},
#include "format/safetensors_types.def"
#undef SAFETENSORS_TYPE
};

const Dtype* find_dtype(std::string_view name) {
  for (const Dtype& dtype : kDtypes) {
    if (dtype.name == name) return &dtype;
  }
  return nullptr;
}

std::string dtype_names() {
  std::string out;
  for (const Dtype& dtype : kDtypes) out += (out.empty() ? "" : ", ") + std::string(dtype.name);
  return out;
}

class HeaderReader {
 public:
  HeaderReader(const File& file, std::string_view header)
      : file_(file),
        header_(header),
        data_begin_(8 + header.size()),
        data_bytes_(file.size() - data_begin_) {}

  void read(int file_index, std::vector<TensorInfo>& tensors, std::vector<Metadata::Item>& strings);

 private:
  [[noreturn]] void fail(const std::string& tensor, const std::string& problem) const {
    throw FormatError(text("{}: tensor '{}': {}", shown(file_.path()), shown(tensor), problem));
  }
  void count();
  void read_strings(JsonReader& json, std::vector<Metadata::Item>& strings) const;
  TensorInfo read_tensor(JsonReader& json, const std::string& name) const;
  void check_cover(std::vector<TensorInfo>::iterator begin, std::vector<TensorInfo>::iterator end) const;

  const File& file_;
  std::string_view header_;
  uint64_t data_begin_, data_bytes_;
  size_t n_tensors_ = 0, n_strings_ = 0;
};

void HeaderReader::count() {
  JsonReader json(header_, file_.path(), 8);
  json.object([&](const std::string& name) {
    if (name != kMetadata) {
      ++n_tensors_;
      return json.skip();
    }
    json.object([&](const std::string&) {
      ++n_strings_;
      json.skip();
    });
  });
  json.end();
}

void HeaderReader::read_strings(JsonReader& json, std::vector<Metadata::Item>& strings) const {
  strings.reserve(n_strings_);
  json.object([&](const std::string& key) {
    if (json.peek() != JsonKind::string) {
      json.fail(text("{} '{}' is {}, expected a string", kMetadata, shown(key), name_of(json.peek())));
    }
    strings.emplace_back(key, MetaValue{"string", json.string()});
  });
}

TensorInfo HeaderReader::read_tensor(JsonReader& json, const std::string& name) const {
  if (name.empty()) json.fail("a tensor's name is empty");
  TensorInfo out;
  out.name = name;
  const Dtype* dtype = nullptr;
  bool has_shape = false;
  std::vector<uint64_t> offsets;
  json.object([&](const std::string& member) {
    if (member == "dtype") {
      out.type = json.string();
      dtype = find_dtype(out.type);
      if (!dtype) fail(name, text("dtype '{}' is not known; known are {}", shown(out.type), dtype_names()));
    } else if (member == "shape") {
      has_shape = true;
      json.array([&] {
        const uint64_t dim = json.unsigned_integer("a dimension");
        if (dim > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
          fail(name, text("dimension {}, expected less than 2^63", dim));
        }
        if (out.shape.size() == kMaxDims) fail(name, text("more than {} dimensions", kMaxDims));
        out.shape.push_back(static_cast<int64_t>(dim));
      });
    } else if (member == "data_offsets") {
      json.array([&] {
        offsets.push_back(json.unsigned_integer("a data offset"));
        if (offsets.size() > 2) fail(name, "more than two data_offsets, expected [begin, end]");
      });
    } else {
      fail(name,
           text("the member '{}' is not understood; expected dtype, shape and data_offsets", shown(member)));
    }
  });
  if (!dtype) fail(name, "has no dtype");
  if (!has_shape) fail(name, "has no shape");
  if (offsets.size() != 2) fail(name, text("has {} data_offsets, expected [begin, end]", offsets.size()));
  if (offsets[0] > offsets[1] || offsets[1] > data_bytes_) {
    fail(name, text("data_offsets [{}, {}], expected begin <= end <= {}, the bytes of data in the file; it "
                    "is cut short "
                    "or damaged, fetch it again",
                    offsets[0], offsets[1], data_bytes_));
  }
  const bool empty = std::find(out.shape.begin(), out.shape.end(), 0) != out.shape.end();
  uint64_t bits = empty ? 0 : dtype->bits;
  for (size_t d = 0; d < out.shape.size() && !empty; ++d) {
    const auto dim = static_cast<uint64_t>(out.shape[d]);
    if (bits > std::numeric_limits<uint64_t>::max() / dim) fail(name, "the shape has more than 2^64 bits");
    bits *= dim;
  }
  out.offset = data_begin_ + offsets[0];
  out.bytes = offsets[1] - offsets[0];
  if (bits % 8 != 0 || bits / 8 != out.bytes) {
    fail(name, text("the shape takes {} bytes of {}, but data_offsets [{}, {}] hold {}",
                    text(bits % 8 == 0 ? "{}" : "{} and a part", bits / 8), out.type, offsets[0], offsets[1],
                    out.bytes));
  }
  return out;
}

// The tensors of this file, sorted by their place, must follow one another from the first byte of data to the
// last.
void HeaderReader::check_cover(std::vector<TensorInfo>::iterator begin,
                               std::vector<TensorInfo>::iterator end) const {
  uint64_t next = data_begin_;
  for (auto tensor = begin; tensor != end; ++tensor) {
    if (tensor->offset != next) {
      fail(tensor->name,
           text("data begins at offset {} of the data, expected {}: {}", tensor->offset - data_begin_,
                next - data_begin_, tensor->offset < next ? "it overlaps another" : "there is a hole"));
    }
    next += tensor->bytes;
  }
  if (next != file_.size()) {
    throw FormatError(text("{}: {} bytes follow the last tensor at offset {}, expected none",
                           shown(file_.path()), file_.size() - next, next));
  }
}

void HeaderReader::read(int file_index, std::vector<TensorInfo>& tensors,
                        std::vector<Metadata::Item>& strings) {
  count();
  const size_t first = tensors.size();
  tensors.reserve(first + n_tensors_);
  JsonReader json(header_, file_.path(), 8);
  json.names_are_checked();
  json.object([&](const std::string& name) {
    if (name == kMetadata) return read_strings(json, strings);
    tensors.push_back(read_tensor(json, name));
    tensors.back().file = file_index;
  });
  const auto mine = tensors.begin() + static_cast<std::ptrdiff_t>(first);
  std::stable_sort(mine, tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes < b.bytes;
  });
  check_cover(mine, tensors.end());
}

std::string read_header(const File& file) {
  uint64_t n = 0;
  if (file.size() < sizeof n) {
    throw FormatError(
        text("{}: {} bytes, expected at least 8: a safetensors file starts with the length of its header",
             shown(file.path()), file.size()));
  }
  file.read(0, sizeof n, &n);
  if (n > file.size() - sizeof n) {
    throw FormatError(
        text("{}: the length at offset 0 claims a header of {} bytes, {} follow; the file is cut short or "
             "is not safetensors",
             shown(file.path()), n, file.size() - sizeof n));
  }
  if (n > kMaxJsonBytes) {
    throw FormatError(
        text("{}: a header of {} bytes, expected at most {}", shown(file.path()), n, kMaxJsonBytes));
  }
  std::string header(static_cast<size_t>(n), '\0');
  file.read(sizeof n, n, header.data());
  if (header.empty() || header[0] != '{') {
    throw FormatError(
        text("{}: the header at offset 8 does not begin with '{}'; this is not a safetensors file",
             shown(file.path()), "{"));
  }
  return header;
}

}  // namespace

std::vector<Metadata::Item> read_safetensors(File file, CheckpointBuilder& builder) {
  const std::string header = read_header(file);
  std::vector<Metadata::Item> strings;
  HeaderReader(file, header)
      .read(static_cast<int>(builder.checkpoint.files.size()), builder.checkpoint.tensors, strings);
  builder.add_file(std::move(file));
  return strings;
}

// A header length that fits and a '{' behind it.
bool looks_like_safetensors(const Probe& probe) {
  if (probe.head.size() < 9 || probe.head[8] != '{') return false;
  uint64_t n = 0;
  probe.head.copy(reinterpret_cast<char*>(&n), sizeof n);
  return n <= probe.size - sizeof n;
}
bool suffix_is_safetensors(const Probe& probe) { return probe.suffix == ".safetensors"; }

// A file on its own: its metadata is its `__metadata__`.
Checkpoint open_safetensors(const Probe& probe) {
  CheckpointBuilder builder;
  Checkpoint& out = builder.checkpoint;
  out.path = probe.path;
  out.format = "safetensors";
  std::vector<Metadata::Item> strings = read_safetensors(File(probe.path), builder);
  builder.index_tensors();
  out.metadata = Metadata(probe.path);
  out.metadata.adopt(std::move(strings));
  return std::move(builder.checkpoint);
}

}  // namespace cutaway::format
