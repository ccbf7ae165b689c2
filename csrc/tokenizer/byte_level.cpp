#include "tokenizer/byte_level.h"

#include <algorithm>
#include <cstring>

namespace cutaway {
namespace {

constexpr size_t kBatch = 512;        // pieces
constexpr size_t kBytesOfAnId = 3;    // of a text, fewer than most: the ids of most have room from the start
constexpr int32_t kSeeded = 1 << 16;  // tokens that a new tokenizer's first cache begins with

// The key of a short word; `end` is that of the text, behind which nothing may be read.
inline WordCache::Key key_of(std::string_view word, const char* end, uint32_t flag) {
  const uint32_t size = static_cast<uint32_t>(word.size());
  if (end - word.data() >= 16) return WordCache::key(word.data(), size, flag);
  char bytes[16] = {};
  std::memcpy(bytes, word.data(), word.size());
  return WordCache::key(bytes, size, flag);
}

// Where ids go. A slot's ids are copied whole, so up to kSpare ids may be written behind the last one.
constexpr size_t kSpare = 4;
struct Writer {
  IdBuffer& out;
  int32_t* to = nullptr;
  void reserve(size_t n) {
    if (to) out.commit(to);
    to = out.room(n + kSpare);
  }
  void slot(const WordCache& cache, const WordCache::Slot& slot) {
    if (slot.count > WordCache::kInline) return ids(cache.ids(slot));
    std::memcpy(to, slot.ids, 16);
    to += slot.count;
  }
  void ids(std::span<const int32_t> ids) { to = std::copy(ids.begin(), ids.end(), to); }
  void finish() {
    if (to) out.commit(to);
  }
};
struct Counter {
  size_t n = 0;
  void reserve(size_t) {}
  void slot(const WordCache&, const WordCache::Slot& slot) { n += slot.count; }
  void ids(std::span<const int32_t> ids) { n += ids.size(); }
  void finish() {}
};
// The ids of a long word, gathered from its parts.
struct Gatherer {
  std::vector<int32_t>& out;
  void slot(const WordCache& cache, const WordCache::Slot& slot) { ids(cache.ids(slot)); }
  void ids(std::span<const int32_t> ids) { out.insert(out.end(), ids.begin(), ids.end()); }
};

}  // namespace

// Where every token is what its own bytes read as, the common ones need not be met first. Those of lowest
// rank get the best places; their lines are fetched a batch ahead.
void ByteLevel::seed() {
  if (!model_->takes_whole_words()) return;
  constexpr int32_t kAhead = 32;
  auto cache = std::make_unique<WordCache>();
  Probe probes[kAhead];
  const int32_t n = std::min(model_->size(), kSeeded);
  for (int32_t first = 0; first < n; first += kAhead) {
    const int32_t last = std::min(first + kAhead, n);
    for (int32_t id = first; id < last; ++id) {
      const std::string_view word = model_->bytes(id);  // behind the last one 16 bytes may be read
      Probe& probe = probes[id - first];
      probe.key = {};
      if (word.size() - 1 >= WordCache::kShort || !model_->finds(id)) continue;
      probe.key = WordCache::key(word.data(), static_cast<uint32_t>(word.size()), 0);
      probe.place = cache->place(probe.key);
      cache->prefetch(probe.place);
    }
    for (int32_t id = first; id < last; ++id) {
      const Probe& probe = probes[id - first];
      if (probe.key.high) cache->put_if_free(probe.key, probe.place, id);
    }
  }
  caches_.give(std::move(cache));
}

bool ByteLevel::has_unknown(std::string_view word) const {
  return !model_->has_every_byte() && std::any_of(word.begin(), word.end(), [this](char c) {
    return model_->byte_id(static_cast<unsigned char>(c)) < 0;
  });
}

// A word of 1 to 15 bytes, or such a part of a longer one, that does not lie at its place. Words that lose
// bytes are not kept.
template <class Sink>
void ByteLevel::other_word(std::string_view word, const Probe& probe, bool whole, WordCache& cache,
                           Sink& sink) const {
  if (const WordCache::Slot* slot = cache.find_beside(probe.key, probe.place)) return sink.slot(cache, *slot);
  cache.scratch.clear();
  model_->ids(word, whole, cache.scratch);
  const bool unknown = has_unknown(word);
  cache.met_unknown |= unknown;
  if (!unknown) cache.put(probe.key, probe.place, cache.scratch);
  sink.ids(cache.scratch);
}

// Cuts a word where no token reaches over, and looks its parts up.
template <class Sink>
void ByteLevel::parts(std::string_view word, const char* end, WordCache& cache, Sink& sink) const {
  size_t begin = 0;
  for (size_t at = 1; at <= word.size(); ++at) {
    if (at < word.size() && ((word[at] & 0xC0) == 0x80 || model_->may_cross(word, at))) continue;
    const std::string_view part = word.substr(begin, at - begin);
    begin = at;
    if (part.size() <= WordCache::kShort) {
      Probe probe{key_of(part, end, part_flag()), 0};
      probe.place = cache.place(probe.key);
      if (const WordCache::Slot* slot = cache.find(probe.key, probe.place)) {
        sink.slot(cache, *slot);
      } else {
        other_word(part, probe, false, cache, sink);
      }
      continue;
    }
    const bool keep = part.size() <= WordCache::kLong;
    if (keep) {
      if (const auto found = cache.find(part, part_flag() ? WordCache::kLongPart : 0); found.data()) {
        sink.ids(found);
        continue;
      }
    }
    cache.scratch.clear();
    model_->ids(part, false, cache.scratch);
    if (keep) cache.put(part, part_flag() ? WordCache::kLongPart : 0, cache.scratch);
    sink.ids(cache.scratch);
  }
}

template <class Sink>
void ByteLevel::long_word(std::string_view word, const char* end, WordCache& cache, Sink& sink) const {
  const bool keep = word.size() <= WordCache::kLong;
  if (keep) {
    if (const auto found = cache.find(word, 0); found.data()) return sink.ids(found);
  }
  if (model_->takes_whole_words()) {
    if (const int32_t id = model_->find(word); id >= 0) {
      if (keep) cache.put(word, 0, {&id, 1});
      return sink.ids({&id, 1});
    }
  }
  if (has_unknown(word)) {  // bytes that are left out hide who stands beside whom
    cache.met_unknown = true;
    cache.scratch.clear();
    model_->ids(word, false, cache.scratch);
    return sink.ids(cache.scratch);
  }
  if (!keep) return parts(word, end, cache, sink);
  cache.gathered.clear();
  Gatherer gatherer{cache.gathered};
  parts(word, end, cache, gatherer);
  cache.put(word, 0, cache.gathered);
  sink.ids(cache.gathered);
}

template <class Sink>
void ByteLevel::run(std::string_view text, Sink& sink, std::string& dropped) const {
  CachePool::Lease lease(caches_);
  WordCache& cache = *lease;
  cache.met_unknown = false;
  uint32_t ends[kBatch];
  Probe probes[kBatch];
  const char *const data = text.data(), *const text_end = data + text.size();
  uint32_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t n = pretokenizer_.cut(text, at, ends, kBatch);
    sink.reserve(at - begin);
    // First the places of all words, so that their lines are under way before they are needed.
    for (size_t i = 0, from = begin; i < n; from = ends[i++]) {
      const size_t size = ends[i] - from;
      if (size > WordCache::kShort) continue;
      probes[i].key = key_of(text.substr(from, size), text_end, 0);
      probes[i].place = cache.place(probes[i].key);
      cache.prefetch(probes[i].place);
    }
    for (size_t i = 0; i < n; ++i) {
      const std::string_view word(data + begin, ends[i] - begin);
      begin = ends[i];
      if (word.size() > WordCache::kShort) {
        long_word(word, text_end, cache, sink);
      } else if (const WordCache::Slot* slot = cache.find(probes[i].key, probes[i].place)) {
        sink.slot(cache, *slot);
      } else {
        other_word(word, probes[i], true, cache, sink);
      }
    }
  }
  sink.finish();
  if (cache.met_unknown) {
    for (const char c : text) {
      if (model_->byte_id(static_cast<unsigned char>(c)) < 0) dropped.push_back(c);
    }
  }
}

void ByteLevel::encode(std::string_view text, IdBuffer& out, std::string& dropped) const {
  out.room(text.size() / kBytesOfAnId);
  Writer writer{out};
  run(text, writer, dropped);
}

size_t ByteLevel::count(std::string_view text) const {
  Counter counter;
  std::string dropped;
  run(text, counter, dropped);
  return counter.n;
}

}  // namespace cutaway
