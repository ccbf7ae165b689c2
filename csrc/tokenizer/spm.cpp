// SentencePiece's BPE (Kudo and Richardson 2018): the text is one row of characters, a space is part of the
// piece it begins, and the pair whose joined piece has the highest score is merged until none is left. What
// no piece covers falls back to byte tokens. tokenizer.ggml.model = "llama".
//
// SentencePiece writes a space as U+2581; here pieces and text are kept with plain spaces, so offsets need no
// map.
#include <array>
#include <cmath>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/append_word.h"
#include "tokenizer/spm_bpe.h"
#include "tokenizer/spm_normalizer.h"
#include "tokenizer/tokenizer.h"

namespace cutaway {
namespace {

using format::shown;

class SentencePieces final : public Tokenizer {
 public:
  explicit SentencePieces(const Metadata& metadata) : Tokenizer(Vocab(metadata)) {
    read_pieces();
    read_scores(metadata);
    read_byte_tokens();
    phi3_ = metadata.string("general.architecture").value_or("") == "phi3";
    metadata.strings("tokenizer.ggml.merges");  // what the scores imply, spelled out by some converters
    make_model();
    finish();
    refuse_unread(metadata);
  }

  const char* model() const override { return "llama"; }
  bool space_prefix() const override { return vocab_.add_space_prefix.value_or(true); }
  bool adds_bos() const override { return vocab_.add_bos.value_or(vocab_.special("bos") >= 0); }
  bool adds_eos() const override { return vocab_.add_eos.value_or(false); }
  std::string missing_bytes() const override {
    std::string missing;
    for (int b = 0; b < 256 && !byte_fallback_; ++b) {
      const char byte = static_cast<char>(b);
      if (!model_->has_piece(std::string_view(&byte, 1))) missing.push_back(byte);
    }
    return missing;
  }

 protected:
  bool normalize(std::string_view given, std::string& changed, std::vector<uint32_t>& origin) const override;
  void encode_text(std::string_view seen, size_t begin, size_t end, bool trace, Encoding& out) const override;

  void encode_text_ids(std::string_view seen, size_t begin, size_t end, IdBuffer& out,
                       std::string& dropped) const override {
    if (!model_->covers_all()) return Tokenizer::encode_text_ids(seen, begin, end, out, dropped);
    thread_local std::string line;
    line.assign(space_prefix(), ' ').append(seen, begin, end - begin);
    const size_t size = line.size();
    line.append(16, '\0');
    CachePool::Lease cache(caches_);
    model_->encode_ids(std::string_view(line).substr(0, size), *cache, out);
  }

  // Phi-3's tokenizer.json marks its added tokens rstrip, except these three. GGUF has no field for it.
  bool eats_spaces(int32_t id) const override {
    const std::string& piece = vocab_.pieces[id];
    return phi3_ && piece != "<unk>" && piece != "<s>" && piece != "<|endoftext|>";
  }

 private:
  void read_pieces();
  void read_scores(const Metadata& metadata);
  void read_byte_tokens();
  void make_model();

  std::unique_ptr<const SpmBpeModel> model_;
  mutable CachePool caches_;
  std::vector<double> scores_;  // [size]
  std::array<int32_t, 256> byte_ids_;
  bool byte_fallback_ = false, phi3_ = false;
  int32_t unknown_ = -1;
};

void SentencePieces::read_pieces() {
  if (!vocab_.pre.empty() && vocab_.pre != "default") {
    throw FormatError(text(
        "{}: key 'tokenizer.ggml.pre' is '{}'; a SentencePiece vocabulary has no pre-tokenizer, expected "
        "'default' or no such key",
        vocab_.path, shown(vocab_.pre)));
  }
  std::vector<std::string> all;
  all.reserve(vocab_.pieces.size());
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    const std::string& piece = vocab_.pieces[id];
    const bool is_byte = vocab_.types[id] == TokenType::byte;
    all.push_back(is_byte ? std::string(1, static_cast<char>(byte_of_piece(piece))) : with_spaces(piece));
    if (vocab_.types[id] == TokenType::unknown && unknown_ < 0) unknown_ = id;
  }
  bytes_ = FlatStrings(all);
  if (const int32_t named = vocab_.special("unk"); named >= 0) unknown_ = named;
}

void SentencePieces::make_model() {
  // Converters spell spaces of user-defined pieces plainly. Where both spellings exist, SentencePiece's own
  // comes first; the other cannot arise.
  std::vector<TokenType> types = vocab_.types;
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    const std::string& piece = vocab_.pieces[id];
    if (piece.find(' ') == std::string::npos) continue;
    std::string marked;
    for (const char c : piece) c == ' ' ? marked.append(kSpaceMark) : marked.append(1, c);
    const int32_t other = vocab_.find(marked);
    const bool reachable = other >= 0 && !vocab_.is_special(other) && types[other] != TokenType::byte;
    if (reachable) types[id] = TokenType::control;
  }
  SpmBpeModel::Options options{unknown_, {}};
  if (byte_fallback_) options.byte_ids.assign(byte_ids_.begin(), byte_ids_.end());
  model_ = std::make_unique<SpmBpeModel>(bytes_, scores_, types, options);
}

void SentencePieces::read_scores(const Metadata& metadata) {
  const std::string key = "tokenizer.ggml.scores";
  const MetaValue* found = metadata.find(key);
  if (!found)
    throw FormatError(text("{}: key '{}' is missing; a SentencePiece vocabulary needs it", vocab_.path, key));
  const auto* numbers = std::get_if<std::vector<double>>(&found->value);
  if (!numbers) {
    throw FormatError(
        text("{}: key '{}' has the type {}, expected array[f32]", vocab_.path, key, found->type));
  }
  if (numbers->size() != vocab_.pieces.size()) {
    throw FormatError(text("{}: key '{}' has {} entries, expected one for each of the {} tokens", vocab_.path,
                           key, numbers->size(), vocab_.pieces.size()));
  }
  for (size_t id = 0; id < numbers->size(); ++id) {
    if (!std::isfinite((*numbers)[id])) {
      throw FormatError(text("{}: key '{}': the score of token {} is {}, expected a finite number",
                             vocab_.path, key, id, (*numbers)[id]));
    }
  }
  scores_.assign(numbers->begin(), numbers->end());
}

void SentencePieces::read_byte_tokens() {
  byte_ids_.fill(-1);
  int count = 0;
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    if (vocab_.types[id] != TokenType::byte) continue;
    int32_t& of = byte_ids_[byte_of_piece(vocab_.pieces[id])];
    if (of >= 0) {
      throw FormatError(text("{}: key 'tokenizer.ggml.tokens': tokens {} and {} spell the same byte, '{}'",
                             vocab_.path, of, id, vocab_.pieces[id]));
    }
    of = id;
    ++count;
  }
  if (count != 0 && count != 256) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.token_type' marks {} byte tokens, expected none or all 256",
             vocab_.path, count));
  }
  byte_fallback_ = count == 256;
}

bool SentencePieces::normalize(std::string_view given, std::string& changed,
                               std::vector<uint32_t>& origin) const {
  if (given.find(kSpaceMark) == std::string_view::npos) return false;
  for (size_t i = 0; i < given.size();) {
    const bool mark = given.substr(i, kSpaceMark.size()) == kSpaceMark;  // to SentencePiece it is a space
    changed.push_back(mark ? ' ' : given[i]);
    origin.push_back(static_cast<uint32_t>(i));
    i += mark ? kSpaceMark.size() : 1;
  }
  origin.push_back(static_cast<uint32_t>(given.size()));
  return true;
}

void SentencePieces::encode_text(std::string_view seen, size_t begin, size_t end, bool trace,
                                 Encoding& out) const {
  const uint32_t shift = space_prefix(), base = static_cast<uint32_t>(begin);
  thread_local std::string prefixed;
  std::string_view line = seen.substr(begin, end - begin);
  if (shift) line = prefixed.assign(1, ' ').append(line);
  const auto place = [&](uint32_t at) { return base + (at > shift ? at - shift : 0); };

  append_word(*model_, line, Rule::text, trace, place, out);
}

}  // namespace

std::shared_ptr<Tokenizer> make_spm(const Metadata& metadata) {
  return std::make_shared<SentencePieces>(metadata);
}

}  // namespace cutaway
