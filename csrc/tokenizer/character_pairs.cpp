#include "tokenizer/character_pairs.h"

#include <algorithm>

#include "core/error.h"
#include "format/utf8.h"
#include "tokenizer/merge.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

uint64_t pair_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

std::string byte_piece(unsigned char byte) {
  static const char* const kDigits = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + ">";
}

}  // namespace

CharacterPairModel::CharacterPairModel(const std::vector<std::string>& pieces,
                                       const std::vector<MergeRule>& merges, Options options,
                                       const std::string& where)
    : where_(where), pieces_(pieces), options_(std::move(options)) {
  index_.reserve(pieces_.size());
  for (size_t id = 0; id < pieces_.size(); ++id) {
    if (!pieces_[id].empty()) index_.emplace(pieces_[id], static_cast<int32_t>(id));
  }
  merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const size_t cut = std::min(options_.continue_prefix.size(), right.size());
    const std::string joined = left + right.substr(cut);
    for (const std::string& piece : {left, right, joined}) {
      if (find(piece) >= 0) continue;
      throw FormatError(
          text("{}: entry {} of the merges, '{} {}', needs the piece '{}', which is not in the "
               "vocabulary",
               where, rank, format::shown(left), format::shown(right), format::shown(piece)));
    }
    merges_[pair_of(find(left), find(right))] = {static_cast<uint32_t>(rank), find(joined)};
  }
}

int32_t CharacterPairModel::find(std::string_view piece) const {
  const auto it = index_.find(piece);
  return it == index_.end() ? -1 : it->second;
}

int32_t CharacterPairModel::unknown() const {
  const int32_t id = find(*options_.unknown);
  if (id < 0) {
    throw FormatError(
        text("{}: the text has a character without a token, and the unknown token '{}' is not in "
             "the vocabulary",
             where_, format::shown(*options_.unknown)));
  }
  return id;
}

void CharacterPairModel::encode(std::string_view word, std::vector<WordToken>& out,
                                std::vector<WordStep>* steps) const {
  if (const int32_t whole = options_.ignore_merges ? find(word) : -1; whole >= 0) {
    out.push_back({whole, 0, static_cast<uint32_t>(word.size())});
    return;
  }
  std::vector<Symbol> row;
  const auto add = [&](int32_t id, uint32_t begin, uint32_t end) {
    const int32_t at = static_cast<int32_t>(row.size());
    row.push_back({id, begin, end, at - 1, at + 1});
  };
  Symbol held{-1, 0, 0, 0, 0};  // an unknown token that may still grow
  const auto release = [&] {
    if (held.id >= 0) add(held.id, held.begin, held.end);
    held.id = -1;
  };
  std::string spelled;
  for (uint32_t at = 0; at < word.size();) {
    const uint32_t begin = at;
    at += utf8_step(word, at).bytes;
    spelled = begin ? options_.continue_prefix : "";
    spelled += word.substr(begin, at - begin);
    if (at == word.size()) spelled += options_.end_suffix;
    if (const int32_t id = find(spelled); id >= 0) {
      release();
      add(id, begin, at);
      continue;
    }
    if (options_.byte_fallback) {
      std::vector<int32_t> bytes;
      for (const char byte : spelled) bytes.push_back(find(byte_piece(static_cast<unsigned char>(byte))));
      if (std::find(bytes.begin(), bytes.end(), -1) == bytes.end()) {
        for (uint32_t i = 0; i < bytes.size(); ++i) add(bytes[i], begin + i, begin + i + 1);
        continue;
      }
    }
    if (!options_.unknown) continue;
    if (held.id >= 0 && options_.fuse_unknown) {
      held.end = at;
    } else {
      release();
      held = {unknown(), begin, at, 0, 0};
    }
  }
  release();
  if (row.empty()) return;
  row.back().next = -1;

  const auto rule = [this](const Symbol& left, const Symbol& right, Merge* merge) {
    const auto it = merges_.find(pair_of(left.id, right.id));
    if (it == merges_.end()) return false;
    *merge = {static_cast<double>(it->second.rank), it->second.id};
    return true;
  };
  std::vector<MergeCandidate> heap;
  merge_pairs(row, heap, rule, [&](const Symbol& left, const Symbol& right, const Merge& merge) {
    if (!steps) return;
    const auto marked = [&](uint32_t begin, uint32_t end) {
      std::string spelling = begin ? options_.continue_prefix : "";
      spelling.append(word, begin, end - begin);
      return end == word.size() ? spelling + options_.end_suffix : spelling;
    };
    WordStep step{marked(left.begin, left.end),
                  marked(right.begin, right.end),
                  merge.id,
                  merge.key,
                  left.begin,
                  right.end};
    step.joined = marked(left.begin, right.end);
    steps->push_back(std::move(step));
  });
  for (int32_t i = 0; i >= 0; i = row[i].next) out.push_back({row[i].id, row[i].begin, row[i].end});
}

}  // namespace cutaway
