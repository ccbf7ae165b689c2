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
#include "tokenizer/rank_pack.h"
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

// Appends the bytes of base64 with its padding; -1 where the text is none, else how many they are. out has
// room for 3 bytes to every 4 digits.
int64_t unbase64(std::string_view in, char* out) {
  if (in.empty() || in.size() % 4 != 0) return -1;
  const size_t padding = in.back() != '=' ? 0 : in[in.size() - 2] != '=' ? 1 : 2;
  const auto& table = values();
  const auto digit = [&](size_t i) { return static_cast<int32_t>(table[static_cast<unsigned char>(in[i])]); };
  const char* const begin = out;
  int32_t word = 0;
  const auto put = [&](size_t n) {
    for (size_t k = 0; k < n; ++k) *out++ = static_cast<char>(word >> (16 - 8 * k));
  };
  const size_t whole = padding ? in.size() - 4 : in.size();
  for (size_t i = 0; i < whole; i += 4) {
    word = digit(i) << 18 | digit(i + 1) << 12 | digit(i + 2) << 6 | digit(i + 3);
    if (word < 0) return -1;  // a digit that is none is -1
    put(3);
  }
  if (padding) {
    word = digit(whole) << 18 | digit(whole + 1) << 12 | (padding == 1 ? digit(whole + 2) << 6 : 0);
    if (word < 0 || (word & ((1 << 8 * padding) - 1)) != 0) return -1;  // digits that say nothing must be 0
    put(3 - padding);
  }
  return out - begin;
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

// The tokens of a file: views of `bytes` by rank; "" for a rank that no line has.
struct RankFile {
  std::vector<char> bytes;
  std::vector<std::string_view> tokens;
};

RankFile read_ranks(std::string_view file, const std::string& path) {
  RankFile out;
  out.bytes.resize(file.size());
  out.tokens.reserve(file.size() / 16);
  char* to = out.bytes.data();
  size_t number = 0;
  for (size_t at = 0; at < file.size();) {
    const size_t end = std::min(file.find('\n', at), file.size());
    std::string_view line = file.substr(at, end - at);
    at = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    const int64_t rank = space == std::string_view::npos ? -1 : rank_of(line.substr(space + 1));
    const int64_t size = rank < 0 || rank >= kMostRanks ? -1 : unbase64(line.substr(0, space), to);
    if (size < 0) {
      throw FormatError(
          text("{}: line {} is '{}', expected a token in base64, a space and its rank (0 to {})", path,
               number, shown(line, 60), kMostRanks - 1));
    }
    if (static_cast<size_t>(rank) >= out.tokens.size()) out.tokens.resize(static_cast<size_t>(rank) + 1);
    std::string_view& token = out.tokens[static_cast<size_t>(rank)];
    if (!token.empty()) {
      throw FormatError(text("{}: line {}: the rank {} is there twice", path, number, rank));
    }
    token = {to, static_cast<size_t>(size)};
    to += size;
  }
  return out;
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

// Bytes in GPT-2's alphabet; special tokens as they are; a name for ids that stand for nothing.
struct RankSpelling {
  std::shared_ptr<const BytePairModel> model;
  FlatStrings bytes;
  std::vector<int32_t> specials;  // ascending

  std::string piece(int32_t id) const {
    const std::string_view of = bytes[static_cast<size_t>(id)];
    if (of.empty()) return text("<|unused_{}|>", id);
    const bool is_special = std::binary_search(specials.begin(), specials.end(), id);
    return is_special ? std::string(of) : spelled_bytes(of);
  }
  int32_t find(std::string_view spelling) const {
    std::string of;
    if (unspelled_bytes(spelling, of)) {
      if (const int32_t id = model->find(of); id >= 0) return id;
    }
    for (const int32_t id : specials) {
      if (bytes[static_cast<size_t>(id)] == spelling) return id;
    }
    constexpr std::string_view kUnused = "<|unused_";
    if (!spelling.starts_with(kUnused) || !spelling.ends_with("|>")) return -1;
    const int64_t id = rank_of(spelling.substr(kUnused.size(), spelling.size() - kUnused.size() - 2));
    return id >= 0 && static_cast<size_t>(id) < bytes.size() && bytes[static_cast<size_t>(id)].empty()
               ? static_cast<int32_t>(id)
               : -1;
  }
};

// ranks: the special tokens among them. known: null where nobody knows them.
std::shared_ptr<Tokenizer> make_of_ranks(const PackedRanks& ranks, const KnownRanks* known,
                                         const Pretokenizer& pretokenizer) {
  const std::vector<SpecialToken> specials = known ? known->specials() : std::vector<SpecialToken>();
  std::vector<int32_t> ids;
  for (const SpecialToken& token : specials) ids.push_back(token.id);
  std::sort(ids.begin(), ids.end());
  auto model = BytePairModel::from_ranks(ranks.bytes, ids, ranks.neighbours);
  const auto spelling = std::make_shared<const RankSpelling>(RankSpelling{model, ranks.bytes, ids});
  if (const auto [one, other] = model->same(); one >= 0) {
    throw FormatError(text("{}: the ranks: tokens {} and {} are both '{}'; expected each once", ranks.path,
                           one, other, shown(spelling->piece(one))));
  }
  Vocab vocab(ranks.path, ranks.bytes.size(),
              {[spelling](int32_t id) { return spelling->piece(id); },
               [spelling](std::string_view piece) { return spelling->find(piece); }});
  for (size_t id = 0; id < ranks.bytes.size(); ++id) {
    if (ranks.bytes.length(id) == 0) vocab.types[id] = TokenType::unused;
  }
  for (const SpecialToken& token : specials) {
    vocab.types[static_cast<size_t>(token.id)] = TokenType::control;
    if (token.role) vocab.specials.emplace_back(token.role, token.id);
  }
  vocab.pre = pretokenizer.name;
  return make_byte_level(std::move(vocab), ranks.bytes, pretokenizer, std::move(model), "tiktoken");
}

}  // namespace

bool is_ranks(std::string_view head) {
  const std::string_view line = head.substr(0, head.find_first_of("\r\n"));
  const size_t space = line.find(' ');
  std::string bytes(line.size(), '\0');
  return space != std::string_view::npos && rank_of(line.substr(space + 1)) >= 0 &&
         unbase64(line.substr(0, space), bytes.data()) > 0;
}

std::shared_ptr<Tokenizer> open_ranks(const std::string& file, const OpenOptions& options) {
  const std::string path = shown(file), content = whole_tokenizer_file(file);
  Sha256 hash;
  const KnownRanks* known = known_by(hex(hash.add(content).digest()), options.encoding, path);
  const Pretokenizer pretokenizer = chosen(known, options.pattern, path);
  RankFile read = read_ranks(content, path);
  std::vector<std::string_view>& tokens = read.tokens;
  if (!known) {
    const auto hole = std::find(tokens.begin(), tokens.end(), std::string_view());
    if (hole != tokens.end() || tokens.empty()) {
      throw FormatError(
          text("{}: no line has the rank {}, expected every rank from 0 on", path, hole - tokens.begin()));
    }
  }
  const std::vector<SpecialToken> specials = known ? known->specials() : std::vector<SpecialToken>();
  for (const SpecialToken& token : specials) {
    const auto id = static_cast<size_t>(token.id);
    tokens.resize(std::max(tokens.size(), id + 1));
    tokens[id] = token.spelling;
  }
  const FlatStrings bytes(tokens);
  const PackedRanks ranks{path, bytes, Neighbours(bytes)};
  auto tokenizer = make_of_ranks(ranks, known, pretokenizer);
  if (known && !options.pack_folder.empty()) write_rank_pack(options.pack_folder, *known, ranks);
  return tokenizer;
}

std::shared_ptr<Tokenizer> open_rank_pack(const std::string& folder, const std::string& encoding) {
  for (const KnownRanks& known : known_ranks()) {
    if (known.name != encoding) continue;
    const auto ranks = read_rank_pack(folder, known);
    if (!ranks) return nullptr;
    try {
      return make_of_ranks(*ranks, &known, find_pretokenizer(known.pre));
    } catch (const FormatError&) { return nullptr; }
  }
  return nullptr;
}

}  // namespace cutaway
