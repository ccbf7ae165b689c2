#include "model/pack_header.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "core/sha256.h"

namespace cutaway {
namespace {

constexpr std::string_view kMagic = "cutaway pack\r\n\x1a\n";
constexpr uint32_t kVersion = 1;  // of the header and of how matrices follow each other
constexpr size_t kPrefix = 24;    // magic, version, length of the header
constexpr size_t kChecksum = 32;
constexpr uint64_t kMostBytes = uint64_t{64} << 20;  // of a header
constexpr uint64_t kSample = 256;

struct Writer {
  std::string out;
  template <class T>
  void number(T v) {
    out.append(reinterpret_cast<const char*>(&v), sizeof v);
  }
  void string(const std::string& s) {
    number(static_cast<uint32_t>(s.size()));
    out += s;
  }
};

// Never past the end: what is missing reads as zero and `fine` says so.
struct PackReader {
  std::string_view left;
  bool fine = true;
  template <class T>
  T number() {
    T v{};
    if (left.size() < sizeof v) return fine = false, v;
    std::memcpy(&v, left.data(), sizeof v);
    left.remove_prefix(sizeof v);
    return v;
  }
  std::string string() {
    const auto n = number<uint32_t>();
    if (n > left.size()) return fine = false, std::string();
    std::string s(left.substr(0, n));
    left.remove_prefix(n);
    return s;
  }
  uint32_t count() {  // of things that take a byte at least
    const auto n = number<uint32_t>();
    if (n > left.size()) fine = false;
    return fine ? n : 0;
  }
};

bool read_all(int fd, char* out, uint64_t n) {
  for (uint64_t at = 0; at < n;) {
    const ssize_t got = ::pread(fd, out + at, n - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += static_cast<uint64_t>(got);
  }
  return true;
}

// FNV-1a over the new places of the rows of the first heads.
uint64_t order_hash(const Placed& p) {
  if (!p.order) return 0;
  uint64_t h = 14695981039346656037u;
  const int64_t n = std::min<int64_t>(p.matrix->rows, 4 * p.d_head);
  for (int64_t r = 0; r < n; ++r) h = (h ^ static_cast<uint64_t>(p.order(r, p.d_head))) * 1099511628211u;
  return h ? h : 1;
}

}  // namespace

std::string encode_pack(PackHeader& header) {
  const auto encode = [&] {
    Writer w;
    w.out = kMagic;
    w.number(kVersion);
    w.number(uint32_t{0});
    w.out += header.identity;
    w.string(header.boot);
    w.string(header.model);
    w.number(header.begin);
    w.number(header.bytes);
    w.number(static_cast<uint32_t>(header.sources.size()));
    for (const PackSource& s : header.sources) {
      w.string(s.path);
      w.number(s.stamp.size), w.number(s.stamp.mtime_ns), w.number(s.stamp.ctime_ns), w.number(s.stamp.inode);
    }
    w.number(static_cast<uint32_t>(header.tensors.size()));
    for (const PackTensor& t : header.tensors) {
      w.string(t.name), w.string(t.type);
      for (uint64_t v : {t.rows, t.cols, t.order, t.offset, t.bytes}) w.number(v);
    }
    return std::move(w.out);
  };
  // The last byte of the room is not the header's (pack_file.cpp).
  header.begin = encode().size() + kChecksum + 1;
  header.begin = (header.begin + kPackRoom - 1) / kPackRoom * kPackRoom;
  std::string out = encode();
  const auto length = static_cast<uint32_t>(out.size() + kChecksum);
  std::memcpy(out.data() + kPrefix - sizeof length, &length, sizeof length);
  return out + Sha256().add(out).digest();
}

std::optional<PackHeader> decode_pack(std::string_view bytes, uint64_t file_bytes) {
  if (bytes.size() < kPrefix + kChecksum || !bytes.starts_with(kMagic)) return std::nullopt;
  PackReader in{bytes.substr(kMagic.size(), bytes.size() - kMagic.size() - kChecksum)};
  if (in.number<uint32_t>() != kVersion || in.number<uint32_t>() != bytes.size()) return std::nullopt;
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksum);
  if (Sha256().add(body).digest() != bytes.substr(body.size())) return std::nullopt;

  PackHeader out;
  if (in.left.size() < 32) return std::nullopt;
  out.identity = in.left.substr(0, 32);
  in.left.remove_prefix(32);
  out.boot = in.string();
  out.model = in.string();
  out.begin = in.number<uint64_t>();
  out.bytes = in.number<uint64_t>();
  for (uint32_t i = in.count(); i > 0 && in.fine; --i) {
    PackSource& s = out.sources.emplace_back();
    s.path = in.string();
    s.stamp.size = in.number<uint64_t>();
    s.stamp.mtime_ns = in.number<int64_t>();
    s.stamp.ctime_ns = in.number<int64_t>();
    s.stamp.inode = in.number<uint64_t>();
  }
  for (uint32_t i = in.count(); i > 0 && in.fine; --i) {
    PackTensor& t = out.tensors.emplace_back();
    t.name = in.string(), t.type = in.string();
    for (uint64_t* v : {&t.rows, &t.cols, &t.order, &t.offset, &t.bytes}) *v = in.number<uint64_t>();
    if (t.offset > out.bytes || t.bytes > out.bytes - t.offset) return std::nullopt;
  }
  if (!in.fine || !in.left.empty() || out.sources.empty()) return std::nullopt;
  if (out.begin <= bytes.size() || out.begin % kPackRoom) return std::nullopt;
  if (out.begin > file_bytes || out.bytes != file_bytes - out.begin) return std::nullopt;
  return out;
}

std::optional<PackHeader> read_pack(int fd, uint64_t file_bytes) {
  char prefix[kPrefix];
  uint32_t length;
  if (file_bytes < kPrefix || !read_all(fd, prefix, kPrefix)) return std::nullopt;
  std::memcpy(&length, prefix + kPrefix - sizeof length, sizeof length);
  if (length < kPrefix || length > std::min(file_bytes, kMostBytes)) return std::nullopt;
  std::string bytes(length, '\0');
  if (!read_all(fd, bytes.data(), length)) return std::nullopt;
  return decode_pack(bytes, file_bytes);
}

std::vector<PackTensor> pack_tensors(const Image& image) {
  std::vector<PackTensor> out;
  for (const Placed& p : image.matrices())
    out.push_back({p.tensor->name, p.tensor->type, static_cast<uint64_t>(p.matrix->rows),
                   static_cast<uint64_t>(p.matrix->cols), order_hash(p), p.offset, p.bytes});
  return out;
}

std::string pack_identity(const Checkpoint& file, const Image& image,
                          const std::vector<format::Stamp>& stamps) {
  Sha256 hash;
  for (const format::Stamp& s : stamps)
    hash.number(s.size).number(s.mtime_ns).number(s.ctime_ns).number(s.inode);
  std::vector<char> sample(kSample);
  for (const Placed& p : image.matrices()) {
    const TensorInfo& t = *p.tensor;
    const uint64_t n = std::min(kSample, t.bytes);
    file.read(t, (t.bytes - n) / 2, n, sample.data());
    hash.number(t.file).number(t.offset).number(t.bytes).add(sample.data(), n).add(p.matrix->type);
  }
  return hash.digest();
}

std::string pack_layout(const std::vector<PackTensor>& tensors, const kernels::Table& kernels) {
  std::set<std::string> types;
  for (const PackTensor& t : tensors) types.insert(t.type);
  Sha256 hash;
  hash.number(kVersion);
  constexpr int64_t kCols = 512;  // two of the largest blocks
  for (int i = 0; i < kernels.n_quants; ++i) {
    const kernels::Quant& q = kernels.quants[i];
    if (!types.count(q.name)) continue;
    const int64_t row = kCols / q.block * q.block_bytes;
    std::vector<uint8_t> blocks(kernels::kLanes * row), tile(q.tile_bytes(kCols));
    uint32_t random = 1;
    for (uint8_t& b : blocks) b = static_cast<uint8_t>((random = random * 1664525u + 1013904223u) >> 24);
    const uint8_t* rows[kernels::kLanes];
    for (int lane = 0; lane < kernels::kLanes; ++lane) rows[lane] = blocks.data() + lane * row;
    q.pack(tile.data(), rows, kCols);
    hash.add(q.name).number(q.tile_bytes(32 * kCols)).add(tile.data(), tile.size());
    if (!q.encode) continue;  // or the head may have been requantised
    std::vector<float> x(kCols);
    for (float& v : x) v = static_cast<float>(static_cast<int32_t>(random = random * 1664525u + 1013904223u));
    q.encode(blocks.data(), x.data(), kCols);
    hash.add(blocks.data(), row);
  }
  return hex(hash.digest()).substr(0, 8);
}

}  // namespace cutaway
