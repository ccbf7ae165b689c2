#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "format/file.h"
#include "format/utf8.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

constexpr size_t kLongestText = size_t{1} << 30;  // bytes; spans and symbols are 32-bit
constexpr size_t kCopied = FlatStrings::kSpare;   // bytes of a token that decoding copies at once

struct Family {
  const char* name;
  std::shared_ptr<Tokenizer> (*make)(const Metadata&);
};
constexpr Family kFamilies[] = {
#define TOKENIZER(function, name) {name, &make_##function},
#include "tokenizer/tokenizers.def"
#undef TOKENIZER
};

constexpr size_t kHead = 4096;  // bytes of a file that tell its format
struct Source {
  bool (*is)(std::string_view head);
  std::shared_ptr<Tokenizer> (*open)(const std::string&, const OpenOptions&);
  const char *what, *takes;
};
constexpr Source kSources[] = {
#define TOKENIZER_FILE(function, what, takes) {&is_##function, &open_##function, what, takes},
#include "tokenizer/tokenizer_files.def"
#undef TOKENIZER_FILE
};

// An option that a file of this kind has no use for is a mistake.
void check_options(const std::string& path, const Source& source, const OpenOptions& options) {
  const auto check = [&](bool given, std::string_view name) {
    if (given && std::string_view(source.takes).find(name) == std::string_view::npos)
      throw ArgumentError(
          text("{}: {} has no meaning for {}, which say themselves how text is cut; leave it out",
               format::shown(path), name, source.what));
  };
  check(!options.pattern.empty(), "pattern");
  check(!options.encoding.empty(), "encoding");
  check(options.lowercase.has_value(), "lowercase");
}

}  // namespace

void Tokenizer::check_length(std::string_view given) {
  if (given.size() > kLongestText) {
    throw ArgumentError(
        text("the text has {} bytes, expected at most {}; encode it in parts", given.size(), kLongestText));
  }
}

bool Tokenizer::normalize(std::string_view, std::string&, std::vector<uint32_t>&) const { return false; }

void Tokenizer::finish() {
  for (const auto& [adds, id, name] :
       {std::tuple(adds_bos(), first_id(), "bos"), std::tuple(adds_eos(), last_id(), "eos")}) {
    if (adds && id < 0) {
      throw FormatError(
          text("{}: key 'tokenizer.ggml.add_{}_token' is true, but 'tokenizer.ggml.{}_token_id' is missing",
               vocab_.path, name, name));
    }
  }
  std::vector<AddedTokens::Token> always, special;
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    if (!vocab_.is_added(id) || !cuts(id)) continue;
    special.push_back({written(id), id});
    if (!vocab_.is_special(id)) always.push_back({written(id), id});
  }
  always_ = AddedTokens(std::move(always));
  special_ = AddedTokens(std::move(special));
}

template <class OnText, class OnAdded>
void Tokenizer::walk(std::string_view seen, const EncodeOptions& options, const OnText& on_text,
                     const OnAdded& on_added) const {
  if (options.add_special_tokens && adds_bos()) on_added(first_id(), 0, 0);
  const AddedTokens& added = options.parse_special ? special_ : always_;
  for (size_t at = 0; at < seen.size();) {
    const AddedTokens::Match match = added.find(seen, at);
    const size_t end = std::min(match.begin, seen.size());
    if (end > at) on_text(at, end);
    if (match.id < 0) break;
    at = match.end;
    while (eats_spaces(match.id) && at < seen.size()) {
      const Utf8Step step = utf8_step(seen, at);
      if (!step.ok || !is_space(step.cp, category(step.cp))) break;
      at += step.bytes;
    }
    on_added(match.id, match.begin, at);
  }
  if (options.add_special_tokens && adds_eos()) on_added(last_id(), seen.size(), seen.size());
}

Encoding Tokenizer::encode(std::string_view given, const EncodeOptions& options, bool trace) const {
  check_length(given);
  Encoding out;
  std::string changed;
  std::vector<uint32_t> origin;
  const std::string_view seen = normalize(given, changed, origin) ? std::string_view(changed) : given;
  walk(
      seen, options, [&](size_t begin, size_t end) { encode_text(seen, begin, end, trace, out); },
      [&](int32_t id, size_t begin, size_t end) {
        out.ids.push_back(id);
        out.spans.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
        if (!trace) return;
        out.pieces.push_back({out.spans.back(), Rule::added_token, out.ids.size() - 1, out.ids.size(), {}});
      });
  if (!origin.empty()) {
    for (Span& span : out.spans) span = {origin[span.begin], origin[span.end]};
    for (TracedPiece& piece : out.pieces) piece.span = {origin[piece.span.begin], origin[piece.span.end]};
  }
  return out;
}

void Tokenizer::encode_ids(std::string_view given, const EncodeOptions& options, IdBuffer& out,
                           std::string& dropped) const {
  check_length(given);
  std::string changed;
  std::vector<uint32_t> origin;
  const std::string_view seen = normalize(given, changed, origin) ? std::string_view(changed) : given;
  walk(
      seen, options, [&](size_t begin, size_t end) { encode_text_ids(seen, begin, end, out, dropped); },
      [&](int32_t id, size_t, size_t) { out.push(id); });
}

size_t Tokenizer::count(std::string_view given, const EncodeOptions& options) const {
  check_length(given);
  std::string changed;
  std::vector<uint32_t> origin;
  const std::string_view seen = normalize(given, changed, origin) ? std::string_view(changed) : given;
  size_t n = 0;
  walk(
      seen, options, [&](size_t begin, size_t end) { n += count_text(seen, begin, end); },
      [&](int32_t, size_t, size_t) { ++n; });
  return n;
}

void Tokenizer::encode_text_ids(std::string_view seen, size_t begin, size_t end, IdBuffer& out,
                                std::string& dropped) const {
  Encoding found;
  encode_text(seen, begin, end, false, found);
  out.append(found.ids);
  dropped += found.dropped;
}

size_t Tokenizer::count_text(std::string_view seen, size_t begin, size_t end) const {
  thread_local IdBuffer ids;
  std::string dropped;
  ids.clear();
  encode_text_ids(seen, begin, end, ids, dropped);
  return ids.size();
}

bool Tokenizer::has_space_prefix(int32_t id) const {
  const bool is_text = vocab_.types[id] == TokenType::normal || vocab_.types[id] == TokenType::unused;
  return is_text && space_prefix() && bytes_[id].starts_with(' ');
}

bool Tokenizer::starts_after(int32_t id, bool, bool) const {
  return vocab_.types[id] == TokenType::control || vocab_.types[id] == TokenType::user_defined;
}

std::string_view Tokenizer::bytes(int32_t id, bool at_start) const {
  const std::string_view out = bytes_[id];
  return at_start && has_space_prefix(id) ? out.substr(1) : out;
}

std::string Tokenizer::decode_bytes(const int32_t* ids, size_t n, const DecodeOptions& options) const {
  const uint32_t size = static_cast<uint32_t>(vocab_.size());
  for (size_t i = 0; i < n; ++i) {
    if (static_cast<uint32_t>(ids[i]) >= size) check_id(ids[i]);
  }
  std::string out;
  if (depends_on_start() || options.skip_special_tokens) {
    bool at_start = !options.continuation;
    for (size_t i = 0; i < n; ++i) {
      const bool shown = !options.skip_special_tokens || !hides(ids[i]);
      if (shown) out += bytes(ids[i], at_start);
      at_start = starts_after(ids[i], at_start, shown);
    }
    return rewrites() ? rewritten(out) : out;
  }
  size_t total = 0;
  const uint32_t* const begin = bytes_.begin();
  for (size_t i = 0; i < n; ++i) total += begin[ids[i] + 1] - begin[ids[i]];
  out.resize(total + kCopied);  // a token is copied with what lies behind it, as one or two registers
  char* to = out.data();
  for (size_t i = 0; i < n; ++i) {
    const uint32_t length = begin[ids[i] + 1] - begin[ids[i]];
    const char* const from = bytes_.text() + begin[ids[i]];
    std::memcpy(to, from, kCopied);
    if (length > kCopied) std::memcpy(to + kCopied, from + kCopied, length - kCopied);
    to += length;
  }
  out.resize(total);
  return out;
}

void Tokenizer::check_id(int64_t id) const {
  if (id < 0 || id >= vocab_.size()) {
    throw ArgumentError(
        text("token id {} is not in this vocabulary, expected 0 to {}", id, vocab_.size() - 1));
  }
}

std::vector<int32_t> Tokenizer::stop_ids() const {
  std::vector<int32_t> ids;
  for (const char* name : {"eos", "eot", "eom"}) {
    if (const int32_t id = vocab_.special(name); id >= 0) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

namespace {

class ByteStream final : public DecodeStream {
 public:
  ByteStream(const Tokenizer& tokenizer, const DecodeOptions& options)
      : tokenizer_(tokenizer), options_(options), at_start_(!options.continuation) {}

  std::string push(int32_t id) override {
    const bool shown = !options_.skip_special_tokens || !tokenizer_.hides(id);
    if (shown) held_ += tokenizer_.bytes(id, at_start_);
    at_start_ = tokenizer_.starts_after(id, at_start_, shown);
    if (tokenizer_.rewrites()) return {};  // its rules see the text as a whole
    const size_t whole = held_.size() - utf8_unfinished(held_);
    std::string out = utf8_replaced(std::string_view(held_).substr(0, whole));
    held_.erase(0, whole);
    return out;
  }
  std::string finish() override {
    if (tokenizer_.rewrites()) held_ = tokenizer_.rewritten(held_);
    std::string out = utf8_replaced(held_);
    held_.clear();
    at_start_ = !options_.continuation;
    return out;
  }

 private:
  const Tokenizer& tokenizer_;
  DecodeOptions options_;
  bool at_start_;
  std::string held_;
};

}  // namespace

std::unique_ptr<DecodeStream> Tokenizer::stream(const DecodeOptions& options) const {
  return std::make_unique<ByteStream>(*this, options);
}

std::shared_ptr<Tokenizer> make_tokenizer(const Metadata& metadata) {
  const auto model = metadata.string("tokenizer.ggml.model");
  if (!model) {
    throw UnsupportedError(
        text("{}: key 'tokenizer.ggml.model' is missing; the file has no vocabulary to make a tokenizer of",
             format::shown(metadata.path())));
  }
  std::string names;
  for (const Family& family : kFamilies) {
    if (*model == family.name) return family.make(metadata);
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  }
  throw UnsupportedError(
      text("{}: key 'tokenizer.ggml.model' is '{}', which is not supported; supported are: {}",
           format::shown(metadata.path()), format::shown(*model), names));
}

bool is_gguf(std::string_view head) { return head.substr(0, 4) == "GGUF"; }

std::shared_ptr<Tokenizer> open_gguf(const std::string& path, const OpenOptions&) {
  return make_tokenizer(open_checkpoint(path).metadata);
}

std::string whole_tokenizer_file(const std::string& path) {
  const format::File file(path);
  if (file.size() > kLongestText) {
    throw FormatError(text("{}: has {} bytes, expected a tokenizer file of at most {}", format::shown(path),
                           file.size(), kLongestText));
  }
  std::string all(static_cast<size_t>(file.size()), '\0');
  file.read(0, all.size(), all.data());
  return all;
}

std::shared_ptr<Tokenizer> open_tokenizer(const std::string& path, const OpenOptions& options) {
  if (std::filesystem::is_directory(path)) return open_tokenizer_folder(path, options);
  std::string head;
  {
    const format::File file(path);
    head.resize(static_cast<size_t>(std::min<uint64_t>(kHead, file.size())));
    file.read(0, head.size(), head.data());
  }
  std::string known;
  for (const Source& source : kSources) {
    if (source.is(head)) {
      check_options(path, source, options);
      return source.open(path, options);
    }
    known += (known.empty() ? "" : "; ") + std::string(source.what);
  }
  throw FormatError(
      text("{}: holds no tokenizer that can be read; supported are: {}", format::shown(path), known));
}

}  // namespace cutaway
