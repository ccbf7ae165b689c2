#include "tokenizer/byte_pairs.h"

#include <algorithm>

#include "core/error.h"

namespace cutaway {
namespace {

constexpr size_t kShort = 96;    // bytes: below, a plain array beats the heap
constexpr size_t kChunk = 32;    // bytes of a long word that are merged at a time
constexpr size_t kSample = 288;  // repetitions that show how a repeated character is cut

size_t two_at(const char* p) {
  return static_cast<size_t>(static_cast<unsigned char>(p[0])) << 8 | static_cast<unsigned char>(p[1]);
}

}  // namespace

BytePairModel::BytePairModel(FlatStrings tokens, bool ranks, bool whole_words,
                             std::span<const int32_t> hidden, std::optional<Neighbours> neighbours)
    : index_(std::move(tokens), hidden, ranks),
      of_bytes_(256 * 256, {kNever, -1}),
      by_rank_(ranks),
      whole_words_(whole_words),
      neighbours_(neighbours ? *std::move(neighbours) : Neighbours(index_.tokens())) {
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    byte_ids_[b] = index_.find({&byte, 1});
    every_byte_ &= byte_ids_[b] >= 0;
  }
}

std::shared_ptr<const BytePairModel> BytePairModel::from_merges(FlatStrings tokens,
                                                                const std::vector<Rule>& rules,
                                                                bool ignore_merges) {
  std::shared_ptr<BytePairModel> model(new BytePairModel(std::move(tokens), false, ignore_merges, {}, {}));
  model->pairs_.reserve(rules.size());
  for (size_t rank = 0; rank < rules.size(); ++rank) {
    const Rule& rule = rules[rank];
    const int32_t size = model->index_.size();
    for (const int32_t id : {rule.left, rule.right, rule.id}) {
      if (id < 0 || id >= size) {
        throw FormatError(
            text("merge {} names the token {}, expected an id from 0 to {}", rank, id, size - 1));
      }
    }
    model->pairs_.put({rule.left, rule.right, static_cast<uint32_t>(rank), rule.id});
  }
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const auto* found = model->pairs_.find(model->byte_ids_[a], model->byte_ids_[b]);
      if (found) model->of_bytes_[static_cast<size_t>(a) * 256 + b] = {found->rank, found->id};
    }
  }
  return model;
}

std::shared_ptr<const BytePairModel> BytePairModel::from_ranks(FlatStrings tokens,
                                                               std::span<const int32_t> hidden,
                                                               std::optional<Neighbours> neighbours) {
  std::shared_ptr<BytePairModel> model(
      new BytePairModel(std::move(tokens), true, true, hidden, std::move(neighbours)));
  for (int b = 0; b < 256; ++b) {
    if (model->byte_ids_[b] < 0) {
      throw FormatError(text("the ranks have no token for the byte {}, expected all 256 single bytes", b));
    }
  }
  for (int32_t id = 0; id < model->index_.size(); ++id) {
    const std::string_view bytes = model->index_.bytes(id);
    if (bytes.size() == 2 && model->index_.find(bytes) == id) {
      model->of_bytes_[two_at(bytes.data())] = {static_cast<uint32_t>(id), id};
    }
  }
  return model;
}

int32_t BytePairModel::rank(int32_t left, int32_t right) const {
  const auto* found = pairs_.find(left, right);
  if (found) return static_cast<int32_t>(found->rank);
  if (!by_rank_) return -1;
  return index_.find(std::string(index_.bytes(left)) + std::string(index_.bytes(right)));
}

// both: the bytes of the two, which stand side by side in the word unless a byte between them was left out.
inline BytePairModel::Ranked BytePairModel::lookup(int32_t left, int32_t right, std::string_view both) const {
  if (by_rank_) {
    const int32_t id = index_.find_merged(both);
    return {static_cast<uint32_t>(id), id};  // -1 becomes kNever
  }
  const auto* found = pairs_.find(left, right);
  return found ? Ranked{found->rank, found->id} : Ranked{kNever, -1};
}

std::vector<Symbol> BytePairModel::merged(std::string_view word, std::vector<WordStep>* steps) const {
  std::vector<Symbol> row;
  std::vector<MergeCandidate> heap;
  for (uint32_t i = 0; i < word.size(); ++i) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(word[i])];
    const int32_t at = static_cast<int32_t>(row.size());
    if (id >= 0) row.push_back({id, i, i + 1, at - 1, at + 1});
  }
  if (row.empty()) return row;
  row.back().next = -1;
  const auto find = [&](const Symbol& left, const Symbol& right, Merge* merge) {
    const Ranked found = lookup(left.id, right.id, word.substr(left.begin, right.end - left.begin));
    *merge = {static_cast<double>(found.rank), found.id};
    return found.id >= 0;
  };
  merge_pairs(row, heap, find, [&](const Symbol& left, const Symbol& right, const Merge& merge) {
    if (!steps) return;
    steps->push_back({std::string(bytes(left.id)), std::string(bytes(right.id)), merge.id, merge.key});
  });
  size_t kept = 0;
  for (int32_t i = 0; i >= 0; ++kept) {
    const Symbol symbol = row[static_cast<size_t>(i)];
    row[kept] = symbol;
    i = symbol.next;
  }
  row.resize(kept);
  return row;
}

void BytePairModel::encode(std::string_view word, std::vector<WordToken>& out,
                           std::vector<WordStep>* steps) const {
  if (whole_words_) {
    if (const int32_t id = find(word); id >= 0) {
      out.push_back({id, 0, static_cast<uint32_t>(word.size())});
      return;
    }
  }
  for (const Symbol& symbol : merged(word, steps)) out.push_back({symbol.id, symbol.begin, symbol.end});
}

void BytePairModel::ids(std::string_view word, bool whole, std::vector<int32_t>& out) const {
  if (whole && whole_words_) {
    if (const int32_t id = find(word); id >= 0) return out.push_back(id);
  }
  if (word.size() <= kShort) return merge_short(word, out);
  if (every_byte_ && (merge_repeated(word, out) || merge_chunks(word, out))) return;
  for (const Symbol& symbol : merged(word, nullptr)) out.push_back(symbol.id);
}

void BytePairModel::merge_short(std::string_view word, std::vector<int32_t>& out) const {
  int32_t id[kShort + 1];
  uint32_t rank[kShort + 1];  // of the merge with the next symbol
  int32_t made[kShort + 1];   // what it would become
  uint8_t begin[kShort + 2];
  uint32_t n = 0;
  for (uint32_t i = 0; i < word.size(); ++i) {
    const unsigned char byte = static_cast<unsigned char>(word[i]);
    if (byte_ids_[byte] < 0) continue;
    id[n] = byte_ids_[byte];
    begin[n] = static_cast<uint8_t>(i);
    if (n > 0) {
      const Ranked first =
          of_bytes_[static_cast<size_t>(static_cast<unsigned char>(word[begin[n - 1]])) << 8 | byte];
      rank[n - 1] = first.rank, made[n - 1] = first.id;
    }
    ++n;
  }
  begin[n] = static_cast<uint8_t>(word.size());
  const auto look = [&](uint32_t i) {
    const Ranked found = lookup(id[i], id[i + 1], word.substr(begin[i], begin[i + 2] - begin[i]));
    rank[i] = found.rank, made[i] = found.id;
  };
  while (n > 1) {
    uint32_t best = 0;
    for (uint32_t i = 1; i + 1 < n; ++i) best = rank[i] < rank[best] ? i : best;
    if (rank[best] == kNever) break;
    id[best] = made[best];
    --n;
    for (uint32_t i = best + 1; i < n; ++i) id[i] = id[i + 1], begin[i] = begin[i + 1];
    begin[n] = begin[n + 1];
    for (uint32_t i = best + 1; i + 1 < n; ++i) rank[i] = rank[i + 1], made[i] = made[i + 1];
    if (best > 0) look(best - 1);
    if (best + 1 < n) look(best);
  }
  out.insert(out.end(), id, id + n);
}

// A sequence of tokens is what BPE makes of a text if, and only if, it makes each token of its own bytes and
// each two neighbours of theirs: until a first merge reached over a border between two of them, both would
// have gone the way they go alone. So where a sample of a repeated character begins with one token twice, any
// number of that token may be put before it.
bool BytePairModel::merge_repeated(std::string_view word, std::vector<int32_t>& out) const {
  size_t unit = 1;
  while (unit <= 4 && std::memcmp(word.data(), word.data() + unit, word.size() - unit) != 0) ++unit;
  size_t sample = kSample * unit;
  if (unit > 4 || word.size() < 2 * sample) return false;
  const std::vector<Symbol> shown = merged(word.substr(0, sample), nullptr);
  const size_t step = bytes(shown[0].id).size();
  if (step % unit != 0) return false;
  sample += (word.size() - sample) % step;
  const std::vector<Symbol> last = merged(word.substr(0, sample), nullptr);
  if (last.size() < 2 || last[0].id != shown[0].id || last[1].id != last[0].id) return false;
  out.insert(out.end(), (word.size() - sample) / step, last[0].id);
  for (const Symbol& symbol : last) out.push_back(symbol.id);
  return true;
}

// By the same rule a long word may be merged a chunk at a time: where the last token of what is done and the
// first one of the next chunk do not stand beside each other, the text around that border is merged anew, and
// more of it, until both its ends fit. false: a token or a border took more than the short way can hold.
bool BytePairModel::merge_chunks(std::string_view word, std::vector<int32_t>& out) const {
  const size_t before = out.size();
  std::vector<int32_t> chunk, middle;
  const auto fits = [&](int32_t left, int32_t right) {
    std::string both(bytes(left));
    both += bytes(right);
    if (both.size() > kShort) return false;
    middle.clear();
    merge_short(both, middle);
    return middle.size() == 2 && middle[0] == left;
  };
  for (size_t at = 0; at < word.size(); at += kChunk) {
    chunk.clear();
    merge_short(word.substr(at, kChunk), chunk);
    size_t begin = at, end = at,
           used = 0;  // the text [begin, end) around the border, `used` tokens of the chunk
    while (out.size() > before && !fits(out.back(), chunk[used])) {
      begin -= bytes(out.back()).size();
      out.pop_back();
      end += bytes(chunk[used++]).size();
      std::vector<int32_t> joined;
      for (bool settled = false; !settled;) {
        if (end - begin > kShort) return out.resize(before), false;
        joined.clear();
        merge_short(word.substr(begin, end - begin), joined);
        settled = true;
        if (out.size() > before && !fits(out.back(), joined.front())) {
          begin -= bytes(out.back()).size();
          out.pop_back();
          settled = false;
        }
        if (used < chunk.size() && !fits(joined.back(), chunk[used])) {
          end += bytes(chunk[used++]).size();
          settled = false;
        }
      }
      out.insert(out.end(), joined.begin(), joined.end());
      if (used == chunk.size()) break;
    }
    out.insert(out.end(), chunk.begin() + static_cast<std::ptrdiff_t>(used), chunk.end());
  }
  return true;
}

}  // namespace cutaway
