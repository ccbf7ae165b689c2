#include "tokenizer/spm_bpe.h"

#include <algorithm>
#include <bit>

#include "tokenizer/cached_words.h"
#include "tokenizer/merge_queue.h"
#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

constexpr int kDeepest =
    100;  // levels that an unused piece is taken apart: sentencepiece's kMaxBpeResegmentDepth

uint64_t mixed(uint64_t key) {  // Fibonacci hashing: the upper bits are the good ones
  key *= 0x9E3779B97F4A7C15ULL;
  return key ^ key >> 32;
}
uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}
}  // namespace

SpmBpeModel::SpmBpeModel(const FlatStrings& pieces, const std::vector<double>& scores,
                         const std::vector<TokenType>& types, const Options& options)
    : options_(options), pieces_(static_cast<int32_t>(pieces.size())), unused_(pieces.size()) {
  std::vector<std::string_view> symbols;
  std::vector<int32_t> hidden;  // pieces that never arise
  std::vector<std::string_view> characters;
  std::vector<bool> met(0x110000);  // code points: millions of characters, some thousand different ones
  for (int32_t id = 0; id < pieces_; ++id) {
    const std::string_view piece = symbols.emplace_back(pieces[id]);
    unused_[id] = types[id] == TokenType::unused;
    if (!unused_[id] && types[id] != TokenType::normal && types[id] != TokenType::user_defined) {
      hidden.push_back(id);
      continue;
    }
    for (size_t i = 0; i < piece.size();) {
      const Utf8Step step = utf8_step(piece, i);
      if (!step.ok || !met[step.cp]) characters.push_back(piece.substr(i, step.bytes));
      if (step.ok) met[step.cp] = true;
      i += step.bytes;
    }
  }
  symbols.insert(symbols.end(), characters.begin(),
                 characters.end());  // of equals the piece, which comes first
  symbols_.emplace(FlatStrings(symbols), hidden);
  read_pairs(pieces, scores);
}

// Every way in which two symbols join to a piece, and every two characters side by side in one.
void SpmBpeModel::read_pairs(const FlatStrings& pieces, const std::vector<double>& scores) {
  std::vector<Pair> found;
  std::vector<std::string_view> arising;
  std::vector<size_t> splits;  // of one piece: where its second part begins
  // Merges go by rank of score: 0 is the highest; equal scores have one rank.
  std::vector<double> distinct = scores;
  std::sort(distinct.begin(), distinct.end(), std::greater<>());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  ranks_ = static_cast<uint32_t>(distinct.size());
  scores_.assign(scores.begin(), scores.end());
  for (int32_t id = 0; id < pieces_; ++id) {
    const std::string_view piece = pieces[id];
    if (symbol_of(piece) != id) continue;  // it never arises, or an equal one comes first
    const auto at = std::lower_bound(distinct.begin(), distinct.end(), scores[id], std::greater<>());
    const uint32_t rank = static_cast<uint32_t>(at - distinct.begin());
    arising.push_back(piece);
    splits.clear();
    for (size_t i = utf8_step(piece, 0).bytes; i < piece.size(); i += utf8_step(piece, i).bytes) {
      splits.push_back(i);
      symbols_->prefetch(piece.substr(0, i));
      symbols_->prefetch(piece.substr(i));
    }
    for (const size_t i : splits) {
      const int32_t left = symbol_of(piece.substr(0, i)), right = left < 0 ? -1 : symbol_of(piece.substr(i));
      if (right >= 0) found.push_back({left, right, id, rank});
    }
  }
  pairs_.assign(std::bit_ceil(found.size() * 2 + 2), {});
  pair_mask_ = pairs_.size() - 1;
  for (const Pair& pair : found) {
    uint64_t at = mixed(pair_key(pair.left, pair.right)) & pair_mask_;
    while (pairs_[at].left >= 0) at = (at + 1) & pair_mask_;
    pairs_[at] = pair;
    takes_apart_ |= unused_[pair.id];
  }
  sides_ = SidePairs(arising);
}

const SpmBpeModel::Pair* SpmBpeModel::find(int32_t left, int32_t right) const {
  if (left < 0 || right < 0) return nullptr;
  for (uint64_t at = mixed(pair_key(left, right)) & pair_mask_; pairs_[at].left >= 0;
       at = (at + 1) & pair_mask_) {
    if (pairs_[at].left == left && pairs_[at].right == right) return &pairs_[at];
  }
  return nullptr;
}

void SpmBpeModel::encode(std::string_view word, std::vector<WordToken>& out,
                         std::vector<WordStep>* steps) const {
  const size_t first = out.size();
  const uint32_t size = static_cast<uint32_t>(word.size());
  for (uint32_t at = 0; at < size;) {
    const uint32_t end = steps ? size : part_end(word, at);  // the order of all merges is for explain()
    encode_part(word, at, end, first, out, steps);
    at = end;
  }
}

void SpmBpeModel::encode_ids(std::string_view text, WordCache& cache, IdBuffer& out) const {
  const uint32_t size = static_cast<uint32_t>(text.size());
  const bool fuses = options_.byte_ids.empty();
  int32_t last = -1;
  for (uint32_t at = 0; at < size;) {
    const uint32_t end = part_end(text, at);
    std::span<const int32_t> ids =
        cached_ids(cache, text.substr(at, end - at),
                   [&](std::vector<WordToken>& tokens) { encode_part(text, at, end, 0, tokens, nullptr); });
    at = end;
    if (ids.empty()) continue;
    // A run of unknown characters is one token, also where the text was cut inside it.
    const bool goes_on = fuses && last == options_.unknown && ids[0] == last;
    last = ids.back();
    if (goes_on) ids = ids.subspan(1);
    int32_t* to = out.room(ids.size());
    for (const int32_t id : ids) *to++ = id;
    out.commit(to);
  }
}

// A symbol of the finished row as tokens: its piece, else its bytes, else the unknown token.
void SpmBpeModel::emit(std::string_view word, int32_t symbol, uint32_t begin, uint32_t end, size_t first,
                       std::vector<WordToken>& out) const {
  if (symbol >= 0 && symbol < pieces_) {
    out.push_back({symbol, begin, end});
  } else if (!options_.byte_ids.empty()) {
    for (uint32_t i = begin; i < end; ++i)
      out.push_back({options_.byte_ids[static_cast<unsigned char>(word[i])], i, i + 1});
  } else if (options_.unknown >= 0) {
    const bool goes_on = out.size() > first && out.back().id == options_.unknown;
    goes_on ? void(out.back().end = end) : out.push_back({options_.unknown, begin, end});
  }
}

void SpmBpeModel::encode_part(std::string_view word, uint32_t begin, uint32_t end, size_t first,
                              std::vector<WordToken>& out, std::vector<WordStep>* steps) const {
  thread_local std::vector<MergeSymbol> row;
  row.clear();
  for (uint32_t i = begin; i < end;) {
    const uint32_t bytes = utf8_step(word, i).bytes;
    const int32_t at = static_cast<int32_t>(row.size());
    row.push_back({symbol_of(word.substr(i, bytes)), i, i + bytes, at - 1, at + 1});
    i += bytes;
  }
  row.back().next = -1;

  // Unused pieces come apart at the end as they were joined; of several ways the one that was seen last.
  std::vector<std::pair<int32_t, uint32_t>> joined;  // unused piece, bytes of its left part
  int32_t met_left = -1, met_right = -1;  // runs of one character ask for the same pair again and again
  const Pair* met = nullptr;
  const auto find_pair = [&](const MergeSymbol& left, const MergeSymbol& right) -> RankedMerge {
    if (left.id != met_left || right.id != met_right)
      met = find(left.id, right.id), met_left = left.id, met_right = right.id;
    const Pair* const pair = met;
    if (!pair) return {};
    if (takes_apart_ && unused_[pair->id]) {
      const auto known =
          std::find_if(joined.begin(), joined.end(), [&](const auto& j) { return j.first == pair->id; });
      const std::pair<int32_t, uint32_t> way{pair->id, left.end - left.begin};
      known == joined.end() ? void(joined.push_back(way)) : void(*known = way);
    }
    return {pair->id, pair->rank};
  };
  const auto slice = [&](uint32_t from, uint32_t to) { return word.substr(from, to - from); };
  merge_by_rank(row, ranks_, find_pair, [&](const MergeSymbol& left, const MergeSymbol& right, int32_t id) {
    if (!steps) return;
    steps->push_back({std::string(slice(left.begin, left.end)), std::string(slice(right.begin, right.end)),
                      id, scores_[id], left.begin, right.end});
  });

  struct Open {
    int32_t id;
    uint32_t begin, end;
    int depth;
  };
  std::vector<Open> open;
  for (int32_t i = 0; i >= 0; i = row[i].next) {
    open.push_back({row[i].id, row[i].begin, row[i].end, 0});
    while (!open.empty()) {
      Open part = open.back();
      open.pop_back();
      const bool is_unused = part.id >= 0 && part.id < pieces_ && unused_[part.id];
      const auto way =
          is_unused && part.depth <= kDeepest
              ? std::find_if(joined.begin(), joined.end(), [&](const auto& j) { return j.first == part.id; })
              : joined.end();
      if (way == joined.end()) {
        if (is_unused && part.depth <= kDeepest) part.id = -1;  // one that no merge made is unknown
        emit(word, part.id, part.begin, part.end, first, out);
        continue;
      }
      const uint32_t middle = part.begin + way->second;
      open.push_back({symbol_of(slice(middle, part.end)), middle, part.end, part.depth + 1});
      open.push_back({symbol_of(slice(part.begin, middle)), part.begin, middle, part.depth + 1});
    }
  }
}

}  // namespace cutaway
