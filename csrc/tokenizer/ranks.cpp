// Files of tiktoken: lines "base64 rank". They carry neither a pattern nor special tokens, so the ones that
// are known are known by the SHA-256 of the file.
#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/sha256.h"
#include "format/file.h"
#include "format/utf8.h"
#include "tokenizer/bpe.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/known_ranks.h"
#include "tokenizer/tokenizer.h"

namespace cutaway {
namespace {

using format::shown;

constexpr int64_t kMostRanks = int64_t{1} << 24;

int value_of(char c) {  // of a base64 digit (RFC 4648), or -1
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

const std::array<int8_t, 256>& values() {
  static const std::array<int8_t, 256> table = [] {
    std::array<int8_t, 256> all{};
    for (int c = 0; c < 256; ++c) {
      all[static_cast<size_t>(c)] = static_cast<int8_t>(value_of(static_cast<char>(c)));
    }
    return all;
  }();
  return table;
}

// false where the text is not base64, with its padding.
bool unbase64(std::string_view in, std::string& out) {
  out.clear();
  if (in.empty() || in.size() % 4 != 0) return false;
  const size_t padding = in.back() != '=' ? 0 : in[in.size() - 2] != '=' ? 1 : 2;
  const auto& table = values();
  for (size_t i = 0; i < in.size(); i += 4) {
    const size_t last = i + 4 == in.size() ? padding : 0;
    uint32_t word = 0;
    for (size_t k = 0; k < 4; ++k) {
      const int value = k + last >= 4 ? 0 : table[static_cast<unsigned char>(in[i + k])];
      if (value < 0) return false;
      word = word << 6 | static_cast<uint32_t>(value);
    }
    for (size_t k = 0; k < 3 - last; ++k) out.push_back(static_cast<char>(word >> (16 - 8 * k)));
    if (last && (word & ((1u << 8 * last) - 1))) return false;  // digits that say nothing must be 0
  }
  return true;
}

// The rank of a line's end, or -1.
int64_t rank_of(std::string_view digits) {
  if (digits.empty() || digits.size() > 9 || (digits.size() > 1 && digits[0] == '0')) return -1;
  int64_t rank = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return -1;
    rank = rank * 10 + (c - '0');
  }
  return rank;
}

// [rank] -> bytes; "" for a rank that no line has.
std::vector<std::string> read_ranks(std::string_view file, const std::string& path) {
  std::vector<std::string> tokens;
  tokens.reserve(file.size() / 16);
  std::string bytes;
  size_t number = 0;
  for (size_t at = 0; at < file.size();) {
    size_t end = std::min(file.find('\n', at), file.size());
    std::string_view line = file.substr(at, end - at);
    at = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    const int64_t rank = space == std::string_view::npos ? -1 : rank_of(line.substr(space + 1));
    if (rank < 0 || rank >= kMostRanks || !unbase64(line.substr(0, space), bytes)) {
      throw FormatError(
          text("{}: line {} is '{}', expected a token in base64, a space and its rank (0 to {})", path,
               number, shown(line, 60), kMostRanks - 1));
    }
    if (static_cast<size_t>(rank) >= tokens.size()) tokens.resize(static_cast<size_t>(rank) + 1);
    if (!tokens[static_cast<size_t>(rank)].empty()) {
      throw FormatError(text("{}: line {}: the rank {} is there twice", path, number, rank));
    }
    tokens[static_cast<size_t>(rank)] = bytes;
  }
  return tokens;
}

std::string known_names() {
  std::string names;
  for (const KnownRanks& one : known_ranks()) names += (names.empty() ? "" : ", ") + one.name;
  return names;
}

// By the hash of the file; of several that share their ranks, the one that was asked for, else the first.
const KnownRanks* known_by(const std::string& sha256, const std::string& name, const std::string& path) {
  const KnownRanks* first = nullptr;
  for (const KnownRanks& one : known_ranks()) {
    if (one.sha256 != sha256) continue;
    if (name.empty() || one.name == name) return &one;
    if (!first) first = &one;
  }
  if (name.empty()) return nullptr;
  if (!first)
    throw FormatError(text("{}: does not hold the ranks of {}; its SHA-256 is {}", path, name, sha256));
  throw FormatError(text("{}: holds the ranks of {}, expected those of {}", path, first->name, name));
}

Pretokenizer chosen(const KnownRanks* known, const std::string& pattern, const std::string& path) {
  if (!pattern.empty()) {
    if (const Pretokenizer found = find_pretokenizer(pattern)) return found;
    throw ArgumentError(
        text("there is no pattern '{}'; there are: {}", shown(pattern), pretokenizer_names()));
  }
  if (known) return find_pretokenizer(known->pre);
  throw FormatError(
      text("{}: these ranks are not known ({} are), and the file does not say how text is cut, which decides "
           "the ids. Name the pattern: pattern=, one of: {}",
           path, known_names(), pretokenizer_names()));
}

}  // namespace

bool is_ranks(std::string_view head) {
  const std::string_view line = head.substr(0, head.find_first_of("\r\n"));
  const size_t space = line.find(' ');
  std::string bytes;
  return space != std::string_view::npos && rank_of(line.substr(space + 1)) >= 0 &&
         unbase64(line.substr(0, space), bytes);
}

std::shared_ptr<Tokenizer> open_ranks(const std::string& file, const OpenOptions& options) {
  const std::string path = shown(file), content = whole_tokenizer_file(file);
  Sha256 hash;
  const KnownRanks* known = known_by(hex(hash.add(content).digest()), options.encoding, path);
  const Pretokenizer pretokenizer = chosen(known, options.pattern, path);
  std::vector<std::string> bytes = read_ranks(content, path);
  if (!known) {
    const auto hole = std::find(bytes.begin(), bytes.end(), std::string());
    if (hole != bytes.end() || bytes.empty()) {
      throw FormatError(
          text("{}: no line has the rank {}, expected every rank from 0 on", path, hole - bytes.begin()));
    }
  }
  std::vector<std::string> tokens = bytes;
  std::vector<std::string> pieces;
  pieces.reserve(bytes.size());
  for (const std::string& token : bytes) pieces.push_back(spelled_bytes(token));
  const std::vector<SpecialToken> specials = known ? known->specials() : std::vector<SpecialToken>();
  for (const SpecialToken& token : specials) {
    const size_t size = std::max(pieces.size(), static_cast<size_t>(token.id) + 1);
    pieces.resize(size), bytes.resize(size);
    pieces[static_cast<size_t>(token.id)] = bytes[static_cast<size_t>(token.id)] = token.spelling;
  }
  for (size_t id = 0; id < pieces.size(); ++id) {  // ids that stand for nothing, between the special ones
    if (pieces[id].empty()) pieces[id] = text("<|unused_{}|>", id);
  }
  Vocab vocab(path, std::move(pieces), "the ranks");
  for (int32_t id = 0; id < vocab.size(); ++id) {
    if (bytes[static_cast<size_t>(id)].empty()) vocab.types[static_cast<size_t>(id)] = TokenType::unused;
  }
  for (const SpecialToken& token : specials) {
    vocab.types[static_cast<size_t>(token.id)] = TokenType::control;
    if (token.role) vocab.specials.emplace_back(token.role, token.id);
  }
  vocab.pre = pretokenizer.name;
  auto model = BytePairModel::from_ranks(std::move(tokens));
  return make_byte_level(std::move(vocab), std::move(bytes), pretokenizer, std::move(model), "tiktoken");
}

}  // namespace cutaway
