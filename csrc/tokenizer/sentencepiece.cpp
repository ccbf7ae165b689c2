// What SentencePiece does with a text (Kudo and Richardson 2018), from its own model file or from a GGUF file
// with tokenizer.ggml.model = "t5": the normaliser, then BPE or unigram over all of it, then bytes or one
// unknown token for what no piece covers.
#include <array>
#include <cmath>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/append_word.h"
#include "tokenizer/spm_bpe.h"
#include "tokenizer/spm_normalizer.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unigram.h"

namespace cutaway {
namespace {

using format::shown;

// The vocabulary that a model file describes.
Vocab vocab_of(const SpmFile& file, const std::string& path) {
  Vocab vocab(path, file.pieces, "the model");
  vocab.types = file.types;
  for (const auto& [name, piece, type] :
       {std::tuple("bos", file.bos, TokenType::control), std::tuple("eos", file.eos, TokenType::control),
        std::tuple("unk", file.unk, TokenType::unknown), std::tuple("pad", file.pad, TokenType::control)}) {
    const int32_t id = vocab.find(piece);
    if (id >= 0 && vocab.types[static_cast<size_t>(id)] == type) vocab.name(name, id);
  }
  return vocab;
}

class SentencePiece final : public Tokenizer {
 public:
  // user_defined_first: user-defined tokens are cut out of the given text before it is normalised, as
  // everybody but sentencepiece itself has it.
  SentencePiece(Vocab vocab, SpmFile file, bool user_defined_first)
      : Tokenizer(std::move(vocab)), file_(std::move(file)), user_defined_first_(user_defined_first) {
    for (int32_t id = 0; id < vocab_.size(); ++id) {
      if (vocab_.types[id] == TokenType::unknown && unknown_ < 0) unknown_ = id;
    }
    if (const int32_t named = vocab_.special("unk"); named >= 0) unknown_ = named;
    read_bytes();
    make_normalizers();
    make_model();
    finish();
  }

  const char* model() const override { return bpe_ ? "llama" : "t5"; }
  bool space_prefix() const override { return normalizer_.adds_prefix(); }
  bool adds_bos() const override {
    return vocab_.add_bos.value_or(!user_defined_first_ && vocab_.special("bos") >= 0);
  }
  bool adds_eos() const override { return vocab_.add_eos.value_or(false); }
  std::string missing_bytes() const override { return {}; }  // the unknown token stands for them

  // A text begins with its first token that is anything but a control token.
  bool starts_after(int32_t id, bool at_start, bool shown) const override {
    if (user_defined_first_) return Tokenizer::starts_after(id, at_start, shown);
    const bool is_nothing = vocab_.types[id] == TokenType::control ||
                            (file_.normalizer.remove_extra_whitespaces && vocab_.pieces[id] == kSpaceMark);
    return at_start && is_nothing;
  }
  // The unknown token has a surface of its own, which is text.
  bool hides(int32_t id) const override { return vocab_.types[id] == TokenType::control; }
  bool rewrites() const override { return !file_.denormalizer.charsmap.empty(); }
  std::string rewritten(const std::string& decoded) const override {
    std::string out;
    denormalizer_.normalize(decoded, out, nullptr);
    return out;
  }

 protected:
  void encode_text(std::string_view seen, size_t begin, size_t end, bool trace, Encoding& out) const override;
  void encode_text_ids(std::string_view seen, size_t begin, size_t end, IdBuffer& out,
                       std::string& dropped) const override;
  bool depends_on_start() const override {
    return rewrites() || file_.normalizer.add_dummy_prefix || file_.normalizer.remove_extra_whitespaces;
  }
  std::string_view written(int32_t id) const override {
    return vocab_.types[id] == TokenType::unknown ? vocab_.pieces[id] : bytes_[id];
  }
  bool cuts(int32_t id) const override { return user_defined_first_ || vocab_.is_special(id); }
  bool has_space_prefix(int32_t id) const override {
    const TokenType type = vocab_.types[id];
    const bool is_text =
        type == TokenType::normal || type == TokenType::user_defined || type == TokenType::unused;
    const bool drops = file_.normalizer.add_dummy_prefix || file_.normalizer.remove_extra_whitespaces;
    return is_text && drops && vocab_.pieces[id].starts_with(kSpaceMark);
  }

 private:
  void read_bytes();
  void make_normalizers();
  void make_model();
  void encode_part(std::string_view line, uint32_t begin, uint32_t end, bool trace,
                   const std::vector<uint32_t>& origin, Encoding& out) const;

  SpmFile file_;
  bool user_defined_first_;
  int32_t unknown_ = -1;
  std::vector<int32_t> byte_ids_;
  std::vector<std::string> spelled_;  // pieces as the normalised text has them
  SpmNormalizer normalizer_, denormalizer_;
  AddedTokens user_defined_;  // for BPE, which takes them out first; to unigram they are pieces like others
  std::unique_ptr<const WordModel> model_;
  const SpmBpeModel* bpe_ = nullptr;  // model_, as what it is
  const UnigramModel* unigram_ = nullptr;
  mutable CachePool caches_;
};

void SentencePiece::read_bytes() {
  std::array<int32_t, 256> ids;
  ids.fill(-1);
  int count = 0;
  std::vector<std::string> all;
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    const std::string& piece = vocab_.pieces[id];
    const TokenType type = vocab_.types[id];
    if (type == TokenType::unknown) {
      all.push_back(file_.unk_surface);
    } else if (type != TokenType::byte) {
      all.push_back(with_spaces(piece));
    } else {
      const int byte = byte_of_piece(piece);
      if (ids[byte] >= 0) {
        throw FormatError(
            text("{}: pieces {} and {} spell the same byte, '{}'", vocab_.path, ids[byte], id, shown(piece)));
      }
      ids[byte] = id;
      all.emplace_back(1, static_cast<char>(byte));
      ++count;
    }
  }
  bytes_ = FlatStrings(all);
  if (count != 0 && count != 256)
    throw FormatError(
        text("{}: {} pieces are of type 6 (byte), expected none or all 256", vocab_.path, count));
  if (count == 256) byte_ids_.assign(ids.begin(), ids.end());
}

void SentencePiece::make_normalizers() {
  std::vector<std::string> untouched;
  for (int32_t id = 0; id < vocab_.size() && !user_defined_first_; ++id) {
    if (vocab_.types[id] == TokenType::user_defined) untouched.push_back(vocab_.pieces[id]);
  }
  normalizer_ = SpmNormalizer(file_.normalizer, untouched, {file_.whitespace_as_suffix, !byte_ids_.empty()},
                              vocab_.path + ": precompiled_charsmap");
  denormalizer_ = SpmNormalizer(file_.denormalizer, {}, {false, true},
                                vocab_.path + ": denormalizer_spec: precompiled_charsmap");
}

void SentencePiece::make_model() {
  const bool is_bpe = file_.model == SpmFile::Model::bpe;
  spelled_ = normalizer_.escapes() ? std::vector<std::string>() : vocab_.pieces;
  std::vector<TokenType> types = vocab_.types;
  std::vector<AddedTokens::Token> user_defined;
  for (int32_t id = 0; normalizer_.escapes() && id < vocab_.size(); ++id) {
    // A plain space in a piece stands for nothing that a normalised text can have.
    if (vocab_.pieces[id].find(' ') != std::string::npos) types[id] = TokenType::control;
    spelled_.push_back(with_spaces(vocab_.pieces[id]));
  }
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    if (types[id] != TokenType::user_defined) continue;
    if (user_defined_first_) {
      types[id] = TokenType::control;
    } else if (is_bpe) {
      user_defined.push_back({spelled_[id], id});
    } else {  // sentencepiece 0.2.3: above 0, which no log probability reaches, and more for longer ones
      file_.scores[id] = static_cast<float>(0.1 * static_cast<double>(vocab_.pieces[id].size() - 1));
    }
  }
  user_defined_ = AddedTokens(std::move(user_defined));
  if (is_bpe) {
    auto model = std::make_unique<SpmBpeModel>(spelled_, file_.scores, types,
                                               SpmBpeModel::Options{unknown_, byte_ids_});
    bpe_ = model.get();
    model_ = std::move(model);
  } else {
    const UnigramModel::Options options{unknown_, byte_ids_, UnigramModel::Sums::float32};
    auto model = std::make_unique<UnigramModel>(spelled_, file_.scores, types, options);
    unigram_ = model.get();
    model_ = std::move(model);
  }
}

void SentencePiece::encode_part(std::string_view line, uint32_t begin, uint32_t end, bool trace,
                                const std::vector<uint32_t>& origin, Encoding& out) const {
  append_word(
      *model_, line.substr(begin, end - begin), Rule::text, trace,
      [&](uint32_t at) { return origin[begin + at]; }, out);
}

void SentencePiece::encode_text(std::string_view seen, size_t begin, size_t end, bool trace,
                                Encoding& out) const {
  std::string line;
  std::vector<uint32_t> origin;
  normalizer_.normalize(seen.substr(begin, end - begin), line, &origin);
  for (uint32_t& at : origin) at += static_cast<uint32_t>(begin);
  for (size_t at = 0; at < line.size();) {
    const AddedTokens::Match match = user_defined_.find(line, at);
    const size_t stop = std::min(match.begin, line.size());
    if (stop > at)
      encode_part(line, static_cast<uint32_t>(at), static_cast<uint32_t>(stop), trace, origin, out);
    if (match.id < 0) break;
    out.ids.push_back(match.id);
    out.spans.push_back({origin[match.begin], origin[match.end]});
    if (trace)
      out.pieces.push_back({out.spans.back(), Rule::added_token, out.ids.size() - 1, out.ids.size(), {}});
    at = match.end;
  }
}

void SentencePiece::encode_text_ids(std::string_view seen, size_t begin, size_t end, IdBuffer& out,
                                    std::string& dropped) const {
  if (unknown_ < 0) return Tokenizer::encode_text_ids(seen, begin, end, out, dropped);
  thread_local std::string line;
  line.clear();
  normalizer_.normalize(seen.substr(begin, end - begin), line, nullptr);
  const size_t size = line.size();
  line.append(16, '\0');
  const std::string_view text = std::string_view(line).substr(0, size);
  CachePool::Lease cache(caches_);
  if (unigram_) return unigram_->encode_ids(text, *cache, out);
  for (size_t at = 0; at < size;) {
    const AddedTokens::Match match = user_defined_.find(text, at);
    const size_t stop = std::min(match.begin, size);
    bpe_->encode_ids(text.substr(at, stop - at), *cache, out);
    if (match.id < 0) break;
    out.push(match.id);
    at = match.end;
  }
}

}  // namespace

bool is_spm(std::string_view head) {
  // ModelProto begins with its first piece: field 1, its length, then field 1 of that, the text.
  if (head.size() < 4 || head[0] != '\x0A') return false;
  size_t at = 1;
  while (at < head.size() && (head[at] & 0x80) != 0) ++at;
  return at + 1 < head.size() && at <= 5 && head[at + 1] == '\x0A';
}

std::shared_ptr<Tokenizer> open_spm(const std::string& path, const OpenOptions&) {
  const std::string all = whole_tokenizer_file(path);
  SpmFile file = read_spm(all, shown(path));
  Vocab vocab = vocab_of(file, shown(path));
  return std::make_shared<SentencePiece>(std::move(vocab), std::move(file), false);
}

std::shared_ptr<Tokenizer> make_t5(const Metadata& metadata) {
  const std::string path = shown(metadata.path());
  Vocab vocab(metadata, true);
  if (!vocab.pre.empty() && vocab.pre != "default") {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.pre' is '{}'; a SentencePiece vocabulary has no pre-tokenizer, "
             "expected 'default' or no such key",
             path, shown(vocab.pre)));
  }
  SpmFile file;
  const auto scores = metadata.numbers("tokenizer.ggml.scores");
  if (!scores || scores->size() != vocab.pieces.size()) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.scores' has {} entries, expected one for each of the {} tokens", path,
             scores ? scores->size() : 0, vocab.pieces.size()));
  }
  for (size_t id = 0; id < scores->size(); ++id) {
    if (!std::isfinite((*scores)[id])) {
      throw FormatError(
          text("{}: key 'tokenizer.ggml.scores': token {} has the score {}, expected a finite number", path,
               id, (*scores)[id]));
    }
  }
  file.scores.assign(scores->begin(), scores->end());
  const std::string key = "tokenizer.ggml.precompiled_charsmap";
  if (const auto bytes = metadata.integers(key)) {
    for (const int64_t byte : *bytes) {
      if (byte < -128 || byte > 255)
        throw FormatError(text("{}: key '{}' holds {}, expected bytes", path, key, byte));
      file.normalizer.charsmap.push_back(static_cast<char>(byte));
    }
  }
  file.normalizer.add_dummy_prefix = vocab.add_space_prefix.value_or(true);
  file.normalizer.remove_extra_whitespaces =
      metadata.boolean("tokenizer.ggml.remove_extra_whitespaces").value_or(false);
  auto made = std::make_shared<SentencePiece>(std::move(vocab), std::move(file), true);
  refuse_unread(metadata);
  return made;
}

}  // namespace cutaway
