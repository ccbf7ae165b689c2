// BERT's tokenizer (Devlin et al. 2018): words, then WordPiece. From vocab.txt, one piece a line, those that
// continue a word marked with ##; and from GGUF files with tokenizer.ggml.model = "bert", where it is those
// that begin a word that are marked, with U+2581.
#include <algorithm>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/append_word.h"
#include "tokenizer/bert_words.h"
#include "tokenizer/cached_words.h"
#include "tokenizer/normalize.h"
#include "tokenizer/wordpiece.h"

namespace cutaway {
namespace {

using format::shown;
constexpr std::string_view kBeginMark = "\xE2\x96\x81", kContinueMark = "##";

bool in_brackets(std::string_view piece) { return piece.starts_with('[') && piece.ends_with(']'); }

// An uncased vocabulary has no piece with an upper-case letter, but for [CLS] and the like.
bool is_uncased(const std::vector<std::string>& pieces) {
  return std::none_of(pieces.begin(), pieces.end(), [](const std::string& piece) {
    if (in_brackets(piece)) return false;
    for (size_t i = 0; i < piece.size(); i += utf8_step(piece, i).bytes) {
      const Utf8Step step = utf8_step(piece, i);
      std::string lower;  // some letters of category Lu, such as U+211D, have none
      append_lower(lower, step.cp);
      if (lower != std::string_view(piece).substr(i, step.bytes)) return true;
    }
    return false;
  });
}

// What `tokenizers` puts right when it decodes: no space before a full stop and the like.
std::string cleaned(std::string token) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [from, to] : kRules) {
    for (size_t at = token.find(from); at != std::string::npos; at = token.find(from, at + to.size()))
      token.replace(at, from.size(), to);
  }
  return token;
}

class Bert final : public Tokenizer {
 public:
  // marks_begin: pieces that begin a word are marked, not those that continue one.
  Bert(Vocab vocab, bool lowercase, bool marks_begin)
      : Tokenizer(std::move(vocab)), words_(lowercase), model_(vocab_.pieces, options(marks_begin)) {
    std::vector<std::string> first;
    for (int32_t id = 0; id < vocab_.size(); ++id) {
      const std::string& piece = vocab_.pieces[id];
      const bool continues = !vocab_.is_special(id) && !in_brackets(piece) && model_.continues(piece);
      const std::string_view spelling = in_brackets(piece) ? piece : model_.spelling(piece);
      first.push_back(continues ? std::string(kContinueMark).append(spelling)
                                : std::string(1, ' ').append(spelling));
      later_.push_back(cleaned(continues ? std::string(spelling) : first.back()));
      first.back() = cleaned(continues ? first.back() : std::string(spelling));
    }
    bytes_ = FlatStrings(first);
    finish();
  }

  const char* model() const override { return "bert"; }
  bool space_prefix() const override { return false; }
  bool adds_bos() const override { return vocab_.add_bos.value_or(first_id() >= 0); }
  bool adds_eos() const override { return vocab_.add_eos.value_or(last_id() >= 0); }
  std::string missing_bytes() const override { return {}; }  // a word with them is unknown

  std::string_view bytes(int32_t id, bool at_start) const override {
    return at_start ? bytes_[id] : later_[id];
  }
  bool starts_after(int32_t, bool at_start, bool shown) const override { return at_start && !shown; }

 protected:
  void encode_text(std::string_view seen, size_t begin, size_t end, bool trace,
                   Encoding& out) const override {
    words_.cut<true>(seen.substr(begin, end - begin), [&](const BertWords::Word& word) {
      const size_t first = out.ids.size();
      const Rule alone =
          trace && !is_punctuation(utf8_step(word.bytes, 0).cp) ? Rule::chinese_character : Rule::punctuation;
      append_word(
          model_, word.bytes, word.is_alone ? alone : Rule::white_space, trace,
          [](uint32_t at) { return at; }, out);
      const auto place = [&](Span& span) {  // of the word's bytes: not empty
        span = {static_cast<uint32_t>(begin) + word.from[span.begin],
                static_cast<uint32_t>(begin) + word.to[span.end - 1]};
      };
      for (size_t i = first; i < out.spans.size(); ++i) place(out.spans[i]);
      if (trace) place(out.pieces.back().span);
    });
  }
  void encode_text_ids(std::string_view seen, size_t begin, size_t end, IdBuffer& out,
                       std::string&) const override {
    CachePool::Lease cache(caches_);
    words_.cut<false>(seen.substr(begin, end - begin), [&](const BertWords::Word& word) {
      const std::span<const int32_t> ids =
          cached_ids(*cache, word.bytes,
                     [&](std::vector<WordToken>& tokens) { model_.encode(word.bytes, tokens, nullptr); });
      int32_t* to = out.room(ids.size());
      for (const int32_t id : ids) *to++ = id;
      out.commit(to);
    });
  }
  bool depends_on_start() const override { return true; }
  std::string_view written(int32_t id) const override { return vocab_.pieces[id]; }
  int32_t first_id() const override {
    return vocab_.special("cls") >= 0 ? vocab_.special("cls") : vocab_.special("bos");
  }
  int32_t last_id() const override {
    return vocab_.special("sep") >= 0 ? vocab_.special("sep") : vocab_.special("eos");
  }

 private:
  WordPieceModel::Options options(bool marks_begin) const {
    WordPieceModel::Options options;
    options.unknown = vocab_.special("unk");
    options.begin_prefix = marks_begin ? kBeginMark : "";
    options.continue_prefix = marks_begin ? "" : kContinueMark;
    return options;
  }

  BertWords words_;
  WordPieceModel model_;
  mutable CachePool caches_;
  std::vector<std::string> later_;  // what an id decodes to where it is not the first; bytes_: where it is
};

void set_types(Vocab& vocab) {
  for (const auto& [name, id] : vocab.specials)
    vocab.types[static_cast<size_t>(id)] = name == "unk" ? TokenType::unknown : TokenType::control;
}

}  // namespace

bool is_vocab_txt(std::string_view head) {
  if (head.find('\0') != std::string_view::npos) return false;
  for (size_t begin = 0; begin < head.size();) {
    const size_t end = std::min(head.find('\n', begin), head.size());
    std::string_view line = head.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line == "[UNK]" || line == "[PAD]") return true;
    begin = end + 1;
  }
  return false;
}

std::shared_ptr<Tokenizer> open_vocab_txt(const std::string& path, const OpenOptions& options) {
  const std::string content = whole_tokenizer_file(path), file = shown(path);
  std::vector<std::string> pieces;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    std::string line = content.substr(begin, end - begin);
    if (line.ends_with('\r')) line.pop_back();
    if (!format::valid_utf8(line))
      throw FormatError(text("{}: line {} is not valid UTF-8: '{}'", file, pieces.size() + 1, shown(line)));
    pieces.push_back(std::move(line));
    begin = end + 1;
  }
  Vocab vocab(file, std::move(pieces), "the vocabulary");
  for (const auto& [name, piece] :
       {std::pair("unk", "[UNK]"), std::pair("cls", "[CLS]"), std::pair("sep", "[SEP]"),
        std::pair("pad", "[PAD]"), std::pair("mask", "[MASK]")}) {
    if (const int32_t id = vocab.find(piece); id >= 0) vocab.name(name, id);
  }
  if (vocab.special("unk") < 0)
    throw FormatError(text("{}: no line is '[UNK]', which words without pieces become", file));
  set_types(vocab);
  const bool lower = options.lowercase.value_or(is_uncased(vocab.pieces));
  return std::make_shared<Bert>(std::move(vocab), lower, false);
}

std::shared_ptr<Tokenizer> make_bert(const Metadata& metadata) {
  Vocab vocab(metadata);
  if (!vocab.pre.empty() && vocab.pre != "default" && vocab.pre != "bert-bge") {
    throw UnsupportedError(
        text("{}: key 'tokenizer.ggml.pre' is '{}'; the pre-tokenizer decides the ids, so none is "
             "assumed. Supported for WordPiece are: bert-bge, default",
             vocab.path, shown(vocab.pre)));
  }
  if (vocab.add_space_prefix.value_or(false)) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.add_space_prefix' is true, which is not supported for WordPiece",
             vocab.path));
  }
  const auto scores =
      metadata.numbers("tokenizer.ggml.scores");  // some converters write them for every vocabulary
  if (scores && scores->size() != vocab.pieces.size()) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.scores' has {} entries, expected one for each of the {} tokens",
             vocab.path, scores->size(), vocab.pieces.size()));
  }
  if (vocab.special("unk") < 0) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.unknown_token_id' is missing; WordPiece needs it", vocab.path));
  }
  set_types(vocab);
  const bool marks_begin =
      std::any_of(vocab.pieces.begin(), vocab.pieces.end(),
                  [](const std::string& piece) { return piece.starts_with(kBeginMark); });
  const bool lower = is_uncased(vocab.pieces);
  auto made = std::make_shared<Bert>(std::move(vocab), lower, marks_begin);
  refuse_unread(metadata);
  return made;
}

}  // namespace cutaway
