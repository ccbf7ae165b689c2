#include "tokenizer/vocab.h"

#include "core/error.h"
#include "format/utf8.h"

namespace cutaway {
namespace {

using format::shown;

constexpr std::pair<const char*, const char*> kSpecials[] = {
    {"bos", "bos_token_id"},         {"eos", "eos_token_id"},
    {"eot", "eot_token_id"},         {"eom", "eom_token_id"},
    {"unk", "unknown_token_id"},     {"pad", "padding_token_id"},
    {"sep", "seperator_token_id"},   {"cls", "cls_token_id"},
    {"mask", "mask_token_id"},  // GGUF's spelling of sep
    {"fim_pre", "fim_pre_token_id"}, {"fim_suf", "fim_suf_token_id"},
    {"fim_mid", "fim_mid_token_id"}, {"fim_pad", "fim_pad_token_id"},
    {"fim_rep", "fim_rep_token_id"}, {"fim_sep", "fim_sep_token_id"},
    {"prefix", "prefix_token_id"},   {"suffix", "suffix_token_id"},
    {"middle", "middle_token_id"},
};

std::string ggml(std::string_view name) { return "tokenizer.ggml." + std::string(name); }

// Flags that would change the ids in a way no supported family has.
void refuse_flag(const Metadata& metadata, const char* name) {
  if (metadata.boolean(ggml(name)).value_or(false)) {
    throw FormatError(
        text("{}: key '{}' is true, which is not supported for this kind of vocabulary; expected false or "
             "no such key",
             shown(metadata.path()), ggml(name)));
  }
}

}  // namespace

Vocab::Vocab(std::string file, std::vector<std::string> given, std::string_view what, bool holes)
    : path(std::move(file)), pieces(std::move(given)), types(pieces.size(), TokenType::normal) {
  if (pieces.empty() || pieces.size() > INT32_MAX) {
    throw FormatError(text("{}: {} has {} entries, expected 1 to {}", path, what, pieces.size(), INT32_MAX));
  }
  index_.reserve(pieces.size());
  for (int32_t id = 0; id < size(); ++id) {
    if (holes && pieces[id].empty()) {
      types[id] = TokenType::unused;
      continue;
    }
    const auto [it, is_new] = index_.emplace(pieces[id], id);
    if (!is_new) {
      throw FormatError(text("{}: {}: tokens {} and {} are both '{}'; expected each piece once", path, what,
                             it->second, id, shown(pieces[id])));
    }
  }
}

Vocab::Vocab(std::string file, size_t n, Spelling spelling)
    : path(std::move(file)), types(n, TokenType::normal), spelling_(std::move(spelling)) {}

namespace {

std::vector<std::string> tokens_of(const Metadata& metadata) {
  const std::string path = shown(metadata.path());
  const auto* tokens = metadata.strings(ggml("tokens"));
  if (!tokens) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.tokens' is missing; the file has no vocabulary to make a tokenizer of",
             path));
  }
  for (size_t id = 0; id < tokens->size(); ++id) {
    if (!format::valid_utf8((*tokens)[id])) {
      throw FormatError(text("{}: key 'tokenizer.ggml.tokens': token {} is not valid UTF-8", path, id));
    }
  }
  return *tokens;
}

}  // namespace

Vocab::Vocab(const Metadata& metadata, bool normalizes)
    : Vocab(shown(metadata.path()), tokens_of(metadata), "key 'tokenizer.ggml.tokens'") {
  read_types(metadata);
  read_specials(metadata);
  add_bos = metadata.boolean(ggml("add_bos_token"));
  add_eos = metadata.boolean(ggml("add_eos_token"));
  add_space_prefix = metadata.boolean(ggml("add_space_prefix"));
  pre = metadata.string(ggml("pre")).value_or("");
  const std::string named = "tokenizer.chat_template.";
  for (const auto& [key, value] : metadata.items()) {
    if (key == "tokenizer.chat_template") chat_templates.emplace_back("default", *metadata.string(key));
    if (key.rfind(named, 0) == 0)
      chat_templates.emplace_back(key.substr(named.size()), *metadata.string(key));
  }
  for (const auto& [name, source] : chat_templates) {
    if (!format::valid_utf8(name) || !format::valid_utf8(source)) {
      throw FormatError(text("{}: the chat template '{}' is not valid UTF-8", path, shown(name)));
    }
  }
  refuse_flag(metadata, "add_sep_token");
  if (!normalizes) refuse_flag(metadata, "remove_extra_whitespaces");
  if (!normalizes && metadata.has(ggml("precompiled_charsmap"))) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.precompiled_charsmap' asks for a normaliser that is not supported for "
             "this kind of vocabulary",
             path));
  }
  metadata.u64(ggml("token_type_count"));  // segment ids of BERT: no part of encoding
}

void Vocab::read_types(const Metadata& metadata) {
  const std::string key = ggml("token_type");
  const auto numbers = metadata.integers(key);
  if (!numbers) return;  // the GGUF specification: all normal
  if (numbers->size() != pieces.size()) {
    throw FormatError(text("{}: key '{}' has {} entries, expected one for each of the {} tokens", path, key,
                           numbers->size(), pieces.size()));
  }
  for (size_t id = 0; id < pieces.size(); ++id) {
    const int64_t type = (*numbers)[id];
    if (type < 1 || type > 6) {
      throw FormatError(
          text("{}: key '{}': token {} has type {}, expected 1 (normal), 2 (unknown), 3 (control), 4 "
               "(user-defined), 5 (unused) or 6 (byte)",
               path, key, id, type));
    }
    types[id] = static_cast<TokenType>(type);
    if (types[id] == TokenType::byte && byte_of_piece(pieces[id]) < 0) {
      throw FormatError(text("{}: key '{}': token {} '{}' is called a byte, expected a piece such as <0x0A>",
                             path, key, id, shown(pieces[id])));
    }
  }
}

void Vocab::read_specials(const Metadata& metadata) {
  for (const auto& [name, short_key] : kSpecials) {
    const auto id = metadata.u64(ggml(short_key));
    if (!id) continue;
    if (*id >= pieces.size()) {
      throw FormatError(text("{}: key '{}' is {}, expected a token id below the vocabulary's size {}", path,
                             ggml(short_key), *id, pieces.size()));
    }
    specials.emplace_back(name, static_cast<int32_t>(*id));
  }
}

int32_t Vocab::special(std::string_view name) const {
  for (const auto& [known, id] : specials) {
    if (known == name) return id;
  }
  return -1;
}

int byte_of_piece(std::string_view piece) {
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return -1;
  int value = 0;
  for (const char c : piece.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void refuse_unread(const Metadata& metadata) {
  for (const std::string& key : metadata.unread()) {
    if (key.rfind("tokenizer.ggml.", 0) == 0) {
      throw FormatError(
          text("{}: key '{}' is not understood; it may change how text is cut, so the tokenizer is not built",
               shown(metadata.path()), shown(key)));
    }
  }
}

}  // namespace cutaway
