#include "tokenizer/rank_pack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "core/buffer.h"
#include "core/part_file.h"
#include "core/sha256.h"
#include "tokenizer/byte_index.h"

namespace cutaway {
namespace {

constexpr char kMagic[24] = "cutaway tokenizer\r\n\x1a\n";
constexpr uint32_t kVersion = 1;  // of this format, and of what Neighbours notes
constexpr uint64_t kMostBytes = uint64_t{1} << 28;

// Header | uint64 [Neighbours::kWords] | uint32 begin [n + 1] | text, kSpare zeros, path | padding to 8 bytes
// | uint64 hash of all before. Numbers as the machine has them.
struct Header {
  char magic[24];
  uint32_t version, path;  // path: bytes of it
  char identity[32];       // of the encoding and its rank file
  uint64_t n, text;        // ids; bytes of the text
};
static_assert(sizeof(Header) == 80);

struct Layout {
  uint64_t bits = sizeof(Header), begin, text, path, hash, bytes;
  explicit Layout(const Header& h)
      : begin(bits + 8 * Neighbours::kWords),
        text(begin + 4 * (h.n + 1)),
        path(text + h.text + FlatStrings::kSpare),
        hash((path + h.path + 7) / 8 * 8),
        bytes(hash + 8) {}
};

std::string identity_of(const KnownRanks& known) { return Sha256().add(known.name + known.sha256).digest(); }

std::string place_of(const std::string& folder, const KnownRanks& known) {
  return folder + "/" + known.name + kRankPackSuffix;
}

// The whole file, where it is a regular one of ours.
std::shared_ptr<Buffer> contents(const std::string& path, uint64_t& bytes) {
  const Handle file(path, O_RDONLY | O_NONBLOCK);
  struct stat st{};
  if (!file || ::fstat(file.fd(), &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != ::geteuid())
    return nullptr;
  bytes = static_cast<uint64_t>(st.st_size);
  if (bytes < sizeof(Header) || bytes > kMostBytes) return nullptr;
  auto all = std::make_shared<Buffer>(bytes);
  for (uint64_t at = 0; at < bytes;) {
    const ssize_t got =
        ::pread(file.fd(), static_cast<char*>(all->data()) + at, bytes - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return nullptr;
    at += static_cast<uint64_t>(got);
  }
  return all;
}

enum class State { ready, other_version, damaged };

// The header, if it, the lengths and the checksum are those of a whole file.
State check(const char* data, uint64_t bytes, Header& header) {
  std::memcpy(&header, data, sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) return State::damaged;
  if (header.version != kVersion) return State::other_version;
  if (header.n > bytes || header.text > bytes) return State::damaged;
  const Layout at(header);
  const bool whole = at.bytes == bytes && hash_bytes({data, at.hash}) == loaded<uint64_t>(data + at.hash);
  return whole ? State::ready : State::damaged;
}

bool is_ascending(const uint32_t* begin, uint64_t n, uint64_t end) {
  bool fine = begin[0] == 0 && begin[n] == end;
  for (uint64_t i = 0; i < n; ++i) fine &= begin[i] <= begin[i + 1];
  return fine;
}

}  // namespace

std::optional<PackedRanks> read_rank_pack(const std::string& folder, const KnownRanks& known) {
  uint64_t bytes = 0;
  const std::shared_ptr<Buffer> all = contents(place_of(folder, known), bytes);
  Header header;
  if (!all) return std::nullopt;
  const char* const data = static_cast<const char*>(all->data());
  if (check(data, bytes, header) != State::ready ||
      std::string_view(header.identity, sizeof header.identity) != identity_of(known))
    return std::nullopt;
  const Layout at(header);
  const auto* begin = reinterpret_cast<const uint32_t*>(data + at.begin);
  if (!is_ascending(begin, header.n, header.text)) return std::nullopt;
  const FlatStrings tokens(all, data + at.text, begin, header.n);
  for (const SpecialToken& token : known.specials()) {
    const auto id = static_cast<size_t>(token.id);
    if (id >= tokens.size() || tokens[id] != token.spelling) return std::nullopt;
  }
  const auto* bits = reinterpret_cast<const uint64_t*>(data + at.bits);
  return PackedRanks{std::string(data + at.path, header.path), tokens,
                     Neighbours(std::shared_ptr<const uint64_t[]>(all, bits))};
}

void write_rank_pack(const std::string& folder, const KnownRanks& known, const PackedRanks& ranks) {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::memcpy(header.identity, identity_of(known).data(), sizeof header.identity);
  header.version = kVersion;
  header.path = static_cast<uint32_t>(ranks.path.size());
  header.n = ranks.bytes.size(), header.text = ranks.bytes.bytes();
  const Layout at(header);
  const Buffer all(at.bytes);  // zero where nothing is written
  char* const data = static_cast<char*>(all.data());
  std::memcpy(data, &header, sizeof header);
  std::memcpy(data + at.bits, ranks.neighbours.bits().get(), 8 * Neighbours::kWords);
  std::memcpy(data + at.begin, ranks.bytes.begin(), 4 * (header.n + 1));
  std::memcpy(data + at.text, ranks.bytes.text(), header.text);
  std::memcpy(data + at.path, ranks.path.data(), header.path);
  const uint64_t hash = hash_bytes({data, at.hash});
  std::memcpy(data + at.hash, &hash, sizeof hash);

  const std::string path = place_of(folder, known);
  struct stat st{};
  if (::lstat(path.c_str(), &st) == 0 && (!S_ISREG(st.st_mode) || st.st_uid != ::geteuid())) return;
  PartFile part(path, at.bytes, 0);
  if (part && ::pwrite(part.fd(), data, at.bytes, 0) == static_cast<ssize_t>(at.bytes)) part.finish();
}

const char* report_rank_pack(const std::string& path) {
  uint64_t bytes = 0;
  const std::shared_ptr<Buffer> all = contents(path, bytes);
  Header header;
  const State state = all ? check(static_cast<const char*>(all->data()), bytes, header) : State::damaged;
  if (state == State::damaged) return "damaged";
  const std::string name = std::filesystem::path(path).filename().string();
  for (const KnownRanks& known : known_ranks()) {
    if (state == State::ready && name == known.name + kRankPackSuffix &&
        std::string_view(header.identity, sizeof header.identity) == identity_of(known))
      return "ready";
  }
  return "other version";
}

}  // namespace cutaway
