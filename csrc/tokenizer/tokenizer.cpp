#include "tokenizer/tokenizer.h"

#include <algorithm>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

struct Family {
  const char* name;
  std::shared_ptr<Tokenizer> (*make)(const Metadata&);
};
constexpr Family kFamilies[] = {
#define TOKENIZER(function, name) {name, &make_##function},
#include "tokenizer/tokenizers.def"
#undef TOKENIZER
};

}  // namespace

void Tokenizer::check_length(std::string_view given) {
  constexpr size_t kLongestText = size_t{1} << 30;  // bytes; spans and symbols are 32-bit
  if (given.size() > kLongestText) {
    throw ArgumentError(
        text("the text has {} bytes, expected at most {}; encode it in parts", given.size(), kLongestText));
  }
}

bool Tokenizer::normalize(std::string_view, std::string&, std::vector<uint32_t>&) const { return false; }

void Tokenizer::finish() {
  for (const auto& [adds, name] : {std::pair(adds_bos(), "bos"), std::pair(adds_eos(), "eos")}) {
    if (adds && vocab_.special(name) < 0) {
      throw FormatError(
          text("{}: key 'tokenizer.ggml.add_{}_token' is true, but 'tokenizer.ggml.{}_token_id' is missing",
               vocab_.path, name, name));
    }
  }
  std::vector<AddedTokens::Token> always, special;
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    if (!vocab_.is_added(id)) continue;
    special.push_back({bytes_[id], id});
    if (!vocab_.is_special(id)) always.push_back({bytes_[id], id});
  }
  always_ = AddedTokens(std::move(always));
  special_ = AddedTokens(std::move(special));
}

Encoding Tokenizer::encode(std::string_view given, const EncodeOptions& options, bool trace) const {
  check_length(given);
  Encoding out;
  std::string changed;
  std::vector<uint32_t> origin;
  const std::string_view seen = normalize(given, changed, origin) ? std::string_view(changed) : given;
  const auto add = [&](int32_t id, size_t begin, size_t end) {
    out.ids.push_back(id);
    out.spans.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    if (trace)
      out.pieces.push_back({out.spans.back(), Rule::added_token, out.ids.size() - 1, out.ids.size(), {}});
  };

  if (options.add_special_tokens && adds_bos()) add(vocab_.special("bos"), 0, 0);
  const AddedTokens& added = options.parse_special ? special_ : always_;
  for (size_t at = 0; at < seen.size();) {
    const AddedTokens::Match match = added.find(seen, at);
    const size_t end = std::min(match.begin, seen.size());
    if (end > at) encode_text(seen, at, end, trace, out);
    if (match.id < 0) break;
    at = match.end;
    while (eats_spaces(match.id) && at < seen.size()) {
      const Utf8Step step = utf8_step(seen, at);
      if (!step.ok || !is_space(step.cp, category(step.cp))) break;
      at += step.bytes;
    }
    add(match.id, match.begin, at);
  }
  if (options.add_special_tokens && adds_eos()) add(vocab_.special("eos"), seen.size(), seen.size());

  if (!origin.empty()) {
    for (Span& span : out.spans) span = {origin[span.begin], origin[span.end]};
    for (TracedPiece& piece : out.pieces) piece.span = {origin[piece.span.begin], origin[piece.span.end]};
  }
  return out;
}

std::string_view Tokenizer::bytes(int32_t id, bool at_start) const {
  std::string_view out = bytes_[id];
  const TokenType type = vocab_.types[id];
  const bool is_text = type == TokenType::normal || type == TokenType::unused;
  if (at_start && is_text && space_prefix() && !out.empty() && out[0] == ' ') out.remove_prefix(1);
  return out;
}

std::string Tokenizer::decode_bytes(const std::vector<int32_t>& ids, const DecodeOptions& options) const {
  std::string out;
  bool at_start = !options.continuation;
  for (const int32_t id : ids) {
    check_id(id);
    if (!options.skip_special_tokens || !vocab_.is_special(id)) out += bytes(id, at_start);
    at_start = restarts(id);
  }
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

std::string Tokenizer::decode(const std::vector<int32_t>& ids, const DecodeOptions& options) const {
  return utf8_replaced(decode_bytes(ids, options));
}

namespace {

class ByteStream final : public DecodeStream {
 public:
  ByteStream(const Tokenizer& tokenizer, const DecodeOptions& options)
      : tokenizer_(tokenizer), options_(options), at_start_(!options.continuation) {}

  std::string push(int32_t id) override {
    if (!options_.skip_special_tokens || !tokenizer_.vocab().is_special(id)) {
      held_ += tokenizer_.bytes(id, at_start_);
    }
    at_start_ = tokenizer_.restarts(id);
    const size_t whole = held_.size() - utf8_unfinished(held_);
    std::string out = utf8_replaced(std::string_view(held_).substr(0, whole));
    held_.erase(0, whole);
    return out;
  }
  std::string finish() override {
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

}  // namespace cutaway
