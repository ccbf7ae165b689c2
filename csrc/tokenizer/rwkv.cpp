// The vocabulary of the RWKV "world" models: byte strings, and a text becomes the longest that it begins
// with, again and again. From its own file (lines of `id literal length`, the literal as Python writes a str
// or bytes) and from GGUF files with tokenizer.ggml.model = "rwkv", whose pieces are the inside of such
// literals.
#include <charconv>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/append_word.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

using format::shown;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The inside of a Python literal as bytes; false where it is none. is_bytes: \xNN is a byte, else a code
// point.
bool unescape(std::string_view inside, bool is_bytes, std::string& out) {
  for (size_t i = 0; i < inside.size();) {
    if (inside[i] != '\\') {
      out.push_back(inside[i++]);
      continue;
    }
    if (++i == inside.size()) return false;
    const char kind = inside[i++];
    static constexpr std::string_view kLetters = "nrt0abfv\\'\"", kBytes("\n\r\t\0\a\b\f\v\\'\"", 11);
    if (const size_t at = kLetters.find(kind); at != std::string_view::npos) {
      out.push_back(kBytes[at]);
      continue;
    }
    const size_t digits = kind == 'x' ? 2 : kind == 'u' && !is_bytes ? 4 : kind == 'U' && !is_bytes ? 8 : 0;
    if (digits == 0 || digits > inside.size() - i) return false;
    char32_t cp = 0;
    for (const size_t end = i + digits; i < end; ++i) {
      const int digit = hex_digit(inside[i]);
      if (digit < 0) return false;
      cp = cp << 4 | static_cast<char32_t>(digit);
    }
    if (is_bytes) {
      out.push_back(static_cast<char>(cp));
    } else if (cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000)) {
      return false;
    } else {
      utf8_append(out, cp);
    }
  }
  return true;
}

// Bytes as Python's repr() writes them between the quotes.
std::string escaped(std::string_view bytes) {
  std::string out;
  const bool double_quoted =
      bytes.find('\'') != std::string_view::npos && bytes.find('"') == std::string_view::npos;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || (c == '\'' && !double_quoted)) {
      out += {'\\', c};
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : 't'};
    } else if (byte < 0x20 || byte >= 0x7F) {
      static constexpr char kHex[] = "0123456789abcdef";
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      out.push_back(c);
    }
  }
  return out;
}

class LongestMatch final : public WordModel {
 public:
  explicit LongestMatch(const Vocab& vocab, const std::vector<std::string>& bytes) {
    std::vector<std::pair<std::string_view, int32_t>> keys;
    for (int32_t id = 0; id < vocab.size(); ++id) {
      if (vocab.types[id] == TokenType::normal) keys.emplace_back(bytes[id], id);
    }
    trie_ = ByteTrie(std::move(keys));
  }
  void encode(std::string_view word, std::vector<WordToken>& out,
              std::vector<WordStep>* steps) const override {
    for (uint32_t at = 0; at < word.size();) {
      const ByteTrie::Match match = trie_.longest(word, at);
      const uint32_t end = at + std::max(match.bytes, 1U);
      if (match.value >= 0) {
        out.push_back({match.value, at, end});
        if (steps) {
          steps->push_back({std::string(word.substr(at, end - at)), "", match.value,
                            static_cast<double>(end - at), at, end});
        }
      }
      at = end;
    }
  }
  std::string missing_bytes() const {
    std::string missing;
    for (int b = 0; b < 256; ++b) {
      const char byte = static_cast<char>(b);
      if (trie_.find(std::string_view(&byte, 1)) < 0) missing.push_back(byte);
    }
    return missing;
  }

 private:
  ByteTrie trie_;
};

class Rwkv final : public Tokenizer {
 public:
  explicit Rwkv(Vocab vocab) : Tokenizer(std::move(vocab)), model_(vocab_, read_bytes()) { finish(); }

  const char* model() const override { return "rwkv"; }
  bool space_prefix() const override { return false; }
  bool adds_bos() const override { return vocab_.add_bos.value_or(false); }
  bool adds_eos() const override { return vocab_.add_eos.value_or(false); }
  std::string missing_bytes() const override { return model_.missing_bytes(); }

 protected:
  void encode_text(std::string_view seen, size_t begin, size_t end, bool trace,
                   Encoding& out) const override {
    append_word(
        model_, seen.substr(begin, end - begin), Rule::text, trace,
        [&](uint32_t at) { return static_cast<uint32_t>(begin) + at; }, out);
  }

 private:
  std::vector<std::string> read_bytes() {
    std::vector<std::string> all;
    for (int32_t id = 0; id < vocab_.size(); ++id) {
      std::string bytes;
      const std::string& piece = vocab_.pieces[id];
      if (vocab_.types[id] != TokenType::normal) {
        bytes = piece;
      } else if (!unescape(piece, true, bytes)) {
        throw FormatError(text("{}: token {} is '{}', expected the inside of a Python bytes literal",
                               vocab_.path, id, shown(piece)));
      }
      all.push_back(std::move(bytes));
    }
    bytes_ = FlatStrings(all);
    return all;
  }

  LongestMatch model_;
};

// One line of a vocabulary file, less its end.
std::string read_line(std::string_view line, size_t number, const std::string& path) {
  const auto fail = [&](const std::string& problem) {
    throw FormatError(text("{}: line {} is '{}': {}", path, number, shown(line, 80), problem));
  };
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || last <= first + 1) fail("expected `id literal length`");
  const auto number_in = [&](std::string_view digits) {
    size_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() ? value : SIZE_MAX;
  };
  if (number_in(line.substr(0, first)) != number)
    fail(text("expected the id {}: ids go up from 1 without a gap", number));
  std::string_view literal = line.substr(first + 1, last - first - 1);
  const bool is_bytes = literal.starts_with('b');
  literal.remove_prefix(is_bytes);
  std::string bytes;
  const bool quoted =
      literal.size() >= 2 && (literal[0] == '\'' || literal[0] == '"') && literal.back() == literal[0];
  if (!quoted || !unescape(literal.substr(1, literal.size() - 2), is_bytes, bytes))
    fail("expected a str or bytes literal of Python");
  if (bytes.empty()) fail("expected at least one byte");
  if (number_in(line.substr(last + 1)) != bytes.size()) fail(text("the literal has {} bytes", bytes.size()));
  return escaped(bytes);
}

}  // namespace

bool is_rwkv(std::string_view head) {
  return head.starts_with("1 '") || head.starts_with("1 \"") || head.starts_with("1 b'") ||
         head.starts_with("1 b\"");
}

std::shared_ptr<Tokenizer> open_rwkv(const std::string& path, const OpenOptions&) {
  const std::string all = whole_tokenizer_file(path);
  std::string_view content = all;
  const std::string file = shown(path);
  std::vector<std::string> pieces{"<|endoftext|>"};  // id 0 is the models' own and is in no line
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    std::string_view line = content.substr(0, end);
    content.remove_prefix(std::min(end + 1, content.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    pieces.push_back(read_line(line, pieces.size(), file));
  }
  Vocab vocab(file, std::move(pieces), "the vocabulary");
  vocab.types[0] = TokenType::control;
  vocab.name("eos", 0);
  return std::make_shared<Rwkv>(std::move(vocab));
}

std::shared_ptr<Tokenizer> make_rwkv(const Metadata& metadata) {
  Vocab vocab(metadata);
  if (vocab.add_space_prefix.value_or(false)) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.add_space_prefix' is true, which is not supported for RWKV's "
             "vocabulary",
             vocab.path));
  }
  auto made = std::make_shared<Rwkv>(std::move(vocab));
  refuse_unread(metadata);
  return made;
}

}  // namespace cutaway
