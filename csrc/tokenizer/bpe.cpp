// Byte-level BPE (GPT-2, Radford et al. 2019): the text is cut by a pre-tokenizer, each piece starts as its
// bytes, and the pair of lowest rank is merged until none is left. tokenizer.ggml.model = "gpt2".
#include <array>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/merge.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

using format::shown;

// GPT-2 writes each byte as a printable character: itself where Latin-1 has a visible one, else U+0100 and
// on.
std::array<char32_t, 256> byte_characters() {
  std::array<char32_t, 256> of;
  char32_t next = 0x100;
  for (int b = 0; b < 256; ++b) {
    const bool visible = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    of[b] = visible ? static_cast<char32_t>(b) : next++;
  }
  return of;
}

class BytePairs final : public Tokenizer {
 public:
  explicit BytePairs(const Metadata& metadata) : Tokenizer(Vocab(metadata)) {
    read_pre();
    read_bytes();
    read_merges(metadata);
    // Some converters write scores for every vocabulary; byte-level BPE has no use for them, but they must
    // fit.
    const auto scores = metadata.numbers("tokenizer.ggml.scores");
    if (scores && scores->size() != vocab_.pieces.size()) {
      throw FormatError(
          text("{}: key 'tokenizer.ggml.scores' has {} entries, expected one for each of the {} tokens",
               vocab_.path, scores->size(), vocab_.pieces.size()));
    }
    finish();
    refuse_unread(metadata);
  }

  const char* model() const override { return "gpt2"; }
  bool space_prefix() const override { return false; }
  bool adds_bos() const override { return vocab_.add_bos.value_or(false); }
  bool adds_eos() const override { return vocab_.add_eos.value_or(false); }
  std::string missing_bytes() const override {
    std::string missing;
    for (int b = 0; b < 256; ++b) {
      if (byte_ids_[b] < 0) missing.push_back(static_cast<char>(b));
    }
    return missing;
  }

 protected:
  void encode_text(std::string_view seen, size_t begin, size_t end, bool trace, Encoding& out) const override;

 private:
  struct Ranked {
    uint32_t rank;
    int32_t id;
  };
  static uint64_t pair_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  void read_pre();
  void read_bytes();
  void read_merges(const Metadata& metadata);

  Pretokenizer pretokenize_ = nullptr;
  std::array<int32_t, 256> byte_ids_;            // byte -> its token; -1: the vocabulary has none
  std::unordered_map<uint64_t, Ranked> merges_;  // (left id, right id) -> rank and merged id
};

void BytePairs::read_pre() {
  if (vocab_.add_space_prefix.value_or(false)) {
    throw FormatError(
        text("{}: key 'tokenizer.ggml.add_space_prefix' is true, which is not supported for byte-level BPE",
             vocab_.path));
  }
  pretokenize_ = find_pretokenizer(vocab_.pre);
  if (pretokenize_) return;
  const std::string got = vocab_.pre.empty() ? "missing" : text("'{}'", shown(vocab_.pre));
  throw UnsupportedError(
      text("{}: key 'tokenizer.ggml.pre' is {}; the pre-tokenizer decides the ids, so none is assumed. "
           "Supported are: {}",
           vocab_.path, got, pretokenizer_names()));
}

void BytePairs::read_bytes() {
  const std::array<char32_t, 256> characters = byte_characters();
  std::array<int, 512> byte_of;  // by character; the alphabet lies below U+0200
  byte_of.fill(-1);
  for (int b = 0; b < 256; ++b) {
    std::string spelling;
    utf8_append(spelling, characters[b]);
    byte_of[characters[b]] = b;
    byte_ids_[b] = vocab_.find(spelling);
  }
  bytes_.reserve(vocab_.pieces.size());
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    const std::string& piece = vocab_.pieces[id];
    if (vocab_.types[id] == TokenType::byte) {
      bytes_.emplace_back(1, static_cast<char>(byte_of_piece(piece)));
      continue;
    }
    std::string bytes;
    bool in_alphabet = !vocab_.is_added(id);  // added tokens are spelled as they are
    for (size_t i = 0; in_alphabet && i < piece.size();) {
      const Utf8Step step = utf8_step(piece, i);
      i += step.bytes;
      in_alphabet = step.cp < byte_of.size() && byte_of[step.cp] >= 0;
      if (in_alphabet) bytes.push_back(static_cast<char>(byte_of[step.cp]));
    }
    bytes_.push_back(in_alphabet ? std::move(bytes) : piece);
  }
}

void BytePairs::read_merges(const Metadata& metadata) {
  const auto* merges = metadata.strings("tokenizer.ggml.merges");
  if (!merges)
    throw FormatError(
        text("{}: key 'tokenizer.ggml.merges' is missing; byte-level BPE needs it", vocab_.path));
  merges_.reserve(merges->size());
  for (size_t rank = 0; rank < merges->size(); ++rank) {
    const std::string& line = (*merges)[rank];
    const size_t space = line.find(' ', 1);
    if (line.empty() || space == std::string::npos || space + 1 == line.size()) {
      throw FormatError(
          text("{}: key 'tokenizer.ggml.merges': entry {} is '{}', expected two pieces with a space between",
               vocab_.path, rank, shown(line)));
    }
    const std::string left = line.substr(0, space), right = line.substr(space + 1);
    for (const std::string& piece : {left, right, left + right}) {
      if (vocab_.find(piece) < 0) {
        throw FormatError(
            text("{}: key 'tokenizer.ggml.merges': entry {} '{}' needs the piece '{}', which is not in the "
                 "vocabulary",
                 vocab_.path, rank, shown(line), shown(piece)));
      }
    }
    const Ranked ranked{static_cast<uint32_t>(rank), vocab_.find(left + right)};
    if (!merges_.emplace(pair_of(vocab_.find(left), vocab_.find(right)), ranked).second) {
      throw FormatError(text("{}: key 'tokenizer.ggml.merges': entry {} '{}' is there twice", vocab_.path,
                             rank, shown(line)));
    }
  }
}

void BytePairs::encode_text(std::string_view seen, size_t begin, size_t end, bool trace,
                            Encoding& out) const {
  std::vector<Pretoken> pretokens;
  pretokenize_(seen.substr(begin, end - begin), pretokens);
  const auto find = [this](const Symbol& left, const Symbol& right, Merge* merge) {
    const auto it = merges_.find(pair_of(left.id, right.id));
    if (it == merges_.end()) return false;
    *merge = {static_cast<double>(it->second.rank), it->second.id};
    return true;
  };
  std::vector<Symbol> row;
  std::vector<MergeCandidate> heap;
  for (const Pretoken& pretoken : pretokens) {
    const uint32_t from = static_cast<uint32_t>(begin) + pretoken.begin,
                   to = static_cast<uint32_t>(begin) + pretoken.end;
    row.clear();
    for (uint32_t i = from; i < to; ++i) {
      const int32_t id = byte_ids_[static_cast<unsigned char>(seen[i])];
      if (id < 0) {
        out.dropped.push_back(seen[i]);  // as the reference does: its neighbours may merge across the hole
      } else {
        const int32_t at = static_cast<int32_t>(row.size());
        row.push_back({id, i, i + 1, at - 1, at + 1});
      }
    }
    if (!row.empty()) row.back().next = -1;
    std::vector<WordStep> merges;
    merge_pairs(row, heap, find, [&](const Symbol& left, const Symbol& right, const Merge& merge) {
      if (trace) merges.push_back({bytes_[left.id], bytes_[right.id], merge.id, merge.key});
    });
    const size_t first = out.ids.size();
    for (int32_t i = row.empty() ? -1 : 0; i >= 0; i = row[i].next) {
      out.ids.push_back(row[i].id);
      out.spans.push_back({row[i].begin, row[i].end});
    }
    if (trace) out.pieces.push_back({{from, to}, pretoken.rule, first, out.ids.size(), std::move(merges)});
  }
}

}  // namespace

std::shared_ptr<Tokenizer> make_bpe(const Metadata& metadata) {
  return std::make_shared<BytePairs>(metadata);
}

}  // namespace cutaway
