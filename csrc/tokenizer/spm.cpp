// SentencePiece's BPE (Kudo and Richardson 2018): the text is one row of characters, a space is part of the
// piece it begins, and the pair whose joined piece has the highest score is merged until none is left. What
// no piece covers falls back to byte tokens. tokenizer.ggml.model = "llama".
//
// SentencePiece writes a space as U+2581; here pieces and text are kept with plain spaces, so offsets need no
// map.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/merge.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

using format::shown;
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

std::string with_spaces(std::string_view piece) {
  std::string out;
  for (size_t i = 0; i < piece.size();) {
    const bool mark = piece.substr(i, kSpaceMark.size()) == kSpaceMark;
    out.push_back(mark ? ' ' : piece[i]);
    i += mark ? kSpaceMark.size() : 1;
  }
  return out;
}

class SentencePieces final : public Tokenizer {
 public:
  explicit SentencePieces(const Metadata& metadata) : Tokenizer(Vocab(metadata)) {
    read_pieces();
    read_scores(metadata);
    read_byte_tokens();
    phi3_ = metadata.string("general.architecture").value_or("") == "phi3";
    metadata.strings("tokenizer.ggml.merges");  // what the scores imply, spelled out by some converters
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
      if (!index_.count(std::string_view(&byte, 1))) missing.push_back(byte);
    }
    return missing;
  }

 protected:
  bool normalize(std::string_view given, std::string& changed, std::vector<uint32_t>& origin) const override;
  void encode_text(std::string_view seen, size_t begin, size_t end, bool trace, Encoding& out) const override;

  // Phi-3's tokenizer.json marks its added tokens rstrip, except these three. GGUF has no field for it.
  bool eats_spaces(int32_t id) const override {
    const std::string& piece = vocab_.pieces[id];
    return phi3_ && piece != "<unk>" && piece != "<s>" && piece != "<|endoftext|>";
  }

 private:
  void read_pieces();
  void read_scores(const Metadata& metadata);
  void read_byte_tokens();
  void emit(std::string_view row_text, int32_t id, Span in_row, uint32_t base, uint32_t shift,
            Encoding& out) const;

  std::unordered_map<std::string_view, int32_t> index_;  // pieces that merges can make, spelled with spaces
  size_t longest_ = 0;                                   // bytes of the longest of them
  std::vector<float> scores_;                            // [size]
  std::array<int32_t, 256> byte_ids_;
  bool byte_fallback_ = false, has_unused_ = false, phi3_ = false;
  int32_t unknown_ = -1;
};

void SentencePieces::read_pieces() {
  if (!vocab_.pre.empty() && vocab_.pre != "default") {
    throw FormatError(text(
        "{}: key 'tokenizer.ggml.pre' is '{}'; a SentencePiece vocabulary has no pre-tokenizer, expected "
        "'default' or no such key",
        vocab_.path, shown(vocab_.pre)));
  }
  bytes_.reserve(vocab_.pieces.size());
  for (int32_t id = 0; id < vocab_.size(); ++id) {
    const std::string& piece = vocab_.pieces[id];
    const bool is_byte = vocab_.types[id] == TokenType::byte;
    bytes_.push_back(is_byte ? std::string(1, static_cast<char>(byte_of_piece(piece))) : with_spaces(piece));
    if (vocab_.types[id] == TokenType::unknown && unknown_ < 0) unknown_ = id;
    has_unused_ |= vocab_.types[id] == TokenType::unused;
  }
  if (const int32_t named = vocab_.special("unk"); named >= 0) unknown_ = named;
  index_.reserve(vocab_.pieces.size());
  // Converters spell spaces of user-defined pieces plainly. Where both spellings exist, SentencePiece's own
  // comes first.
  for (const bool plain : {false, true}) {
    for (int32_t id = 0; id < vocab_.size(); ++id) {
      const TokenType type = vocab_.types[id];
      const bool reachable = !vocab_.is_special(id) && type != TokenType::byte && !bytes_[id].empty();
      if (!reachable || plain != (vocab_.pieces[id].find(' ') != std::string::npos)) continue;
      index_.emplace(bytes_[id], id);
      longest_ = std::max(longest_, bytes_[id].size());
    }
  }
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

// One symbol of the finished row as tokens: its piece, else its bytes, else the unknown token (one for a run
// of them).
void SentencePieces::emit(std::string_view row_text, int32_t id, Span in_row, uint32_t base, uint32_t shift,
                          Encoding& out) const {
  const auto place = [&](uint32_t at) { return base + (at > shift ? at - shift : 0); };
  const auto add = [&](int32_t token, uint32_t from, uint32_t to) {
    out.ids.push_back(token);
    out.spans.push_back({place(from), place(to)});
  };
  if (id >= 0) {
    add(id, in_row.begin, in_row.end);
  } else if (byte_fallback_) {
    for (uint32_t i = in_row.begin; i < in_row.end; ++i)
      add(byte_ids_[static_cast<unsigned char>(row_text[i])], i, i + 1);
  } else if (unknown_ >= 0) {
    if (in_row.begin > 0 && out.ids.back() == unknown_) {
      out.spans.back().end = place(in_row.end);
    } else {
      add(unknown_, in_row.begin, in_row.end);
    }
  } else {
    out.dropped.append(row_text.substr(in_row.begin, in_row.end - in_row.begin));
  }
}

void SentencePieces::encode_text(std::string_view seen, size_t begin, size_t end, bool trace,
                                 Encoding& out) const {
  const uint32_t shift = space_prefix();
  std::string prefixed;
  std::string_view line = seen.substr(begin, end - begin);
  if (shift) {
    prefixed.reserve(line.size() + 1);
    prefixed.push_back(' ');
    line = prefixed.append(line);
  }
  const auto slice = [&](uint32_t from, uint32_t to) { return line.substr(from, to - from); };

  std::vector<Symbol> row;
  row.reserve(line.size());
  for (uint32_t i = 0; i < line.size();) {
    const Utf8Step step = utf8_step(line, i);
    const uint32_t bytes = step.ok ? step.bytes : 1;
    const auto it = index_.find(slice(i, i + bytes));
    const int32_t at = static_cast<int32_t>(row.size());
    row.push_back({it == index_.end() ? -1 : it->second, i, i + bytes, at - 1, at + 1});
    i += bytes;
  }
  row.back().next = -1;

  // Unused pieces (type 5) may arise on the way to others; left over, they are taken apart again as they were
  // joined.
  std::unordered_map<std::string_view, uint32_t> joined_at;  // unused piece -> bytes of its left part
  const auto find = [&](const Symbol& left, const Symbol& right, Merge* merge) {
    if (right.end - left.begin > longest_) return false;
    const auto it = index_.find(slice(left.begin, right.end));
    if (it == index_.end()) return false;
    if (has_unused_ && vocab_.types[it->second] == TokenType::unused)
      joined_at[it->first] = left.end - left.begin;
    *merge = {-static_cast<double>(scores_[it->second]), it->second};
    return true;
  };
  std::vector<WordStep> merges;
  std::vector<MergeCandidate> heap;
  merge_pairs(row, heap, find, [&](const Symbol& left, const Symbol& right, const Merge& merge) {
    if (!trace) return;
    merges.push_back({std::string(slice(left.begin, left.end)), std::string(slice(right.begin, right.end)),
                      merge.id, -merge.key});
  });

  const uint32_t base = static_cast<uint32_t>(begin);
  const std::function<void(int32_t, Span)> take_apart = [&](int32_t id, Span in_row) {
    const auto it = id >= 0 && vocab_.types[id] == TokenType::unused
                        ? joined_at.find(slice(in_row.begin, in_row.end))
                        : joined_at.end();
    if (it == joined_at.end()) return emit(line, id, in_row, base, shift, out);
    const uint32_t middle = in_row.begin + it->second;
    for (const Span part : {Span{in_row.begin, middle}, Span{middle, in_row.end}}) {
      const auto piece = index_.find(slice(part.begin, part.end));
      take_apart(piece == index_.end() ? -1 : piece->second, part);
    }
  };
  const size_t first = out.ids.size();
  for (int32_t i = 0; i >= 0; i = row[i].next) take_apart(row[i].id, {row[i].begin, row[i].end});
  if (trace) {
    const Span span{base, static_cast<uint32_t>(end)};
    out.pieces.push_back({span, Rule::text, first, out.ids.size(), std::move(merges)});
  }
}

}  // namespace

std::shared_ptr<Tokenizer> make_spm(const Metadata& metadata) {
  return std::make_shared<SentencePieces>(metadata);
}

}  // namespace cutaway
