// Byte-level BPE (GPT-2, Radford et al. 2019): the text is cut by a pre-tokenizer, each piece starts as its
// bytes, and the pair of lowest rank is merged until none is left. tokenizer.ggml.model = "gpt2".
#include "tokenizer/bpe.h"

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/byte_alphabet.h"

namespace cutaway {
namespace {

using format::shown;

// The tokenizers of Llama 3 and Mistral take a word of the vocabulary as it is (ignore_merges in their
// tokenizer.json) and begin with BOS. GGUF has no field for the former; the pre-tokenizer's name says both.
bool is_llama3_or_tekken(std::string_view pre) {
  return pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3" || pre == "falcon3" || pre == "tekken";
}

class ByteLevelTokenizer final : public Tokenizer {
 public:
  ByteLevelTokenizer(Vocab vocab, FlatStrings bytes, Pretokenizer pretokenizer,
                     std::shared_ptr<const BytePairModel> model, const char* model_name)
      : Tokenizer(std::move(vocab)), words_(pretokenizer, std::move(model)), model_name_(model_name) {
    bytes_ = std::move(bytes);
    finish();
  }

  const char* model() const override { return model_name_; }
  bool space_prefix() const override { return false; }
  bool adds_bos() const override {
    return vocab_.add_bos.value_or(is_llama3_or_tekken(vocab_.pre) && vocab_.special("bos") >= 0);
  }
  bool adds_eos() const override { return vocab_.add_eos.value_or(false); }
  std::string missing_bytes() const override {
    std::string missing;
    for (int b = 0; b < 256; ++b) {
      if (words_.model().byte_id(static_cast<unsigned char>(b)) < 0) missing.push_back(static_cast<char>(b));
    }
    return missing;
  }

 protected:
  void encode_text(std::string_view seen, size_t begin, size_t end, bool trace, Encoding& out) const override;
  void encode_text_ids(std::string_view seen, size_t begin, size_t end, IdBuffer& out,
                       std::string& dropped) const override {
    words_.encode(seen.substr(begin, end - begin), out, dropped);
  }
  size_t count_text(std::string_view seen, size_t begin, size_t end) const override {
    return words_.count(seen.substr(begin, end - begin));
  }

 private:
  ByteLevel words_;
  const char* model_name_;
};

void ByteLevelTokenizer::encode_text(std::string_view seen, size_t begin, size_t end, bool trace,
                                     Encoding& out) const {
  std::vector<Pretoken> pretokens;
  words_.pretokenizer()(seen.substr(begin, end - begin), pretokens);
  std::vector<WordToken> tokens;
  for (const Pretoken& pretoken : pretokens) {
    const uint32_t from = static_cast<uint32_t>(begin) + pretoken.begin,
                   to = static_cast<uint32_t>(begin) + pretoken.end;
    std::vector<WordStep> merges;
    tokens.clear();
    words_.model().encode(seen.substr(from, to - from), tokens, trace ? &merges : nullptr);
    const size_t first = out.ids.size();
    for (const WordToken& token : tokens) {
      out.ids.push_back(token.id);
      out.spans.push_back({from + token.begin, from + token.end});
    }
    for (uint32_t i = from; i < to; ++i) {  // its neighbours merged across the hole, as the reference has it
      if (words_.model().byte_id(static_cast<unsigned char>(seen[i])) < 0) out.dropped.push_back(seen[i]);
    }
    if (trace)
      out.pieces.push_back({{from, to},
                            pretoken.rule,
                            first,
                            out.ids.size(),
                            std::move(merges),
                            std::string(seen.substr(from, to - from))});
  }
}

Pretokenizer read_pre(const Vocab& vocab) {
  if (vocab.add_space_prefix.value_or(false)) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.add_space_prefix' is true, which is not supported for byte-level BPE",
             vocab.path));
  }
  if (const Pretokenizer found = find_pretokenizer(vocab.pre)) return found;
  const std::string got = vocab.pre.empty() ? "missing" : text("'{}'", shown(vocab.pre));
  throw UnsupportedError(
      text("{}: key 'tokenizer.ggml.pre' is {}; the pre-tokenizer decides the ids, so none is assumed. "
           "Supported are: {}",
           vocab.path, got, pretokenizer_names()));
}

std::vector<std::string> read_bytes(const Vocab& vocab) {
  std::vector<std::string> all;
  all.reserve(vocab.pieces.size());
  for (int32_t id = 0; id < vocab.size(); ++id) {
    const std::string& piece = vocab.pieces[id];
    std::string bytes;
    if (vocab.types[id] == TokenType::byte) {
      all.emplace_back(1, static_cast<char>(byte_of_piece(piece)));
    } else if (!vocab.is_added(id) && unspelled_bytes(piece, bytes)) {
      all.push_back(std::move(bytes));
    } else {
      all.push_back(piece);  // added tokens are spelled as they are
    }
  }
  return all;
}

// Some converters write scores for every vocabulary; byte-level BPE has no use for them, but they must fit.
void check_scores(const Metadata& metadata, const Vocab& vocab) {
  const auto scores = metadata.numbers("tokenizer.ggml.scores");
  if (scores && scores->size() != vocab.pieces.size()) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.scores' has {} entries, expected one for each of the {} tokens",
             vocab.path, scores->size(), vocab.pieces.size()));
  }
}

std::shared_ptr<const BytePairModel> read_merges(const Metadata& metadata, const Vocab& vocab,
                                                 std::vector<std::string> tokens) {
  const auto* merges = metadata.strings("tokenizer.ggml.merges");
  if (!merges) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.merges' is missing; byte-level BPE needs it", vocab.path));
  }
  std::vector<BytePairModel::Rule> rules;
  rules.reserve(merges->size());
  for (size_t rank = 0; rank < merges->size(); ++rank) {
    const std::string_view line = (*merges)[rank];
    const size_t space = line.find(' ', 1);
    if (line.empty() || space == std::string::npos || space + 1 == line.size()) {
      throw FormatError(
          text("{}: key 'tokenizer.ggml.merges': entry {} is '{}', expected two pieces with a space between",
               vocab.path, rank, shown(line)));
    }
    std::string both(line);
    both.erase(space, 1);
    const auto id_of = [&](std::string_view piece) {
      const int32_t id = vocab.find(piece);
      if (id >= 0) return id;
      throw FormatError(
          text("{}: key 'tokenizer.ggml.merges': entry {} '{}' needs the piece '{}', which is not in the "
               "vocabulary",
               vocab.path, rank, shown(line), shown(piece)));
    };
    rules.push_back({id_of(line.substr(0, space)), id_of(line.substr(space + 1)), id_of(both)});
  }
  // Added tokens are found before BPE sees the text.
  for (int32_t id = 0; id < vocab.size(); ++id) {
    if (vocab.is_added(id) || vocab.types[id] == TokenType::byte) tokens[id].clear();
  }
  auto model = BytePairModel::from_merges(std::move(tokens), rules, is_llama3_or_tekken(vocab.pre));
  for (size_t rank = 0; rank < rules.size(); ++rank) {
    if (model->rank(rules[rank].left, rules[rank].right) == static_cast<int32_t>(rank)) continue;
    throw FormatError(text("{}: key 'tokenizer.ggml.merges': entry {} '{}' is there twice", vocab.path, rank,
                           shown((*merges)[rank])));
  }
  return model;
}

}  // namespace

std::shared_ptr<Tokenizer> make_byte_level(Vocab vocab, FlatStrings bytes, Pretokenizer pretokenizer,
                                           std::shared_ptr<const BytePairModel> model,
                                           const char* model_name) {
  return std::make_shared<ByteLevelTokenizer>(std::move(vocab), std::move(bytes), pretokenizer,
                                              std::move(model), model_name);
}

std::shared_ptr<Tokenizer> make_bpe(const Metadata& metadata) {
  Vocab vocab(metadata);
  const Pretokenizer pretokenizer = read_pre(vocab);
  std::vector<std::string> bytes = read_bytes(vocab);
  auto model = read_merges(metadata, vocab, bytes);
  check_scores(metadata, vocab);
  auto tokenizer =
      make_byte_level(std::move(vocab), FlatStrings(bytes), pretokenizer, std::move(model), "gpt2");
  refuse_unread(metadata);
  return tokenizer;
}

}  // namespace cutaway
