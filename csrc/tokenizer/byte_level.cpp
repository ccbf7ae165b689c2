#include "tokenizer/byte_level.h"

#include <algorithm>
#include <cstring>

namespace cutaway {
namespace {

constexpr size_t kBatch = 512;  // pieces

// Where ids go. A slot's ids are copied whole, so up to kSpare ids may be written behind the last one.
constexpr size_t kSpare = 8;
struct Writer {
  IdBuffer& out;
  int32_t* to = nullptr;
  void reserve(size_t n) {
    if (to) out.commit(to);
    to = out.room(n + kSpare);
  }
  void slot(const WordCache::ShortSlot& s) {
    std::memcpy(to, s.ids, 16);
    to += s.count;
  }
  void slot(const WordCache::LongSlot& s) {
    std::memcpy(to, s.ids, 24);
    to += s.count;
  }
  void ids(const std::vector<int32_t>& ids) { to = std::copy(ids.begin(), ids.end(), to); }
  void finish() {
    if (to) out.commit(to);
  }
};
struct Counter {
  size_t n = 0;
  void reserve(size_t) {}
  void slot(const WordCache::ShortSlot& s) { n += s.count; }
  void slot(const WordCache::LongSlot& s) { n += s.count; }
  void ids(const std::vector<int32_t>& ids) { n += ids.size(); }
  void finish() {}
};

}  // namespace

bool ByteLevel::has_unknown(std::string_view word) const {
  return !model_->has_every_byte() && std::any_of(word.begin(), word.end(), [this](char c) {
    return model_->byte_id(static_cast<unsigned char>(c)) < 0;
  });
}

// A word, or a part of one, that the caches have not yet or cannot have. Words that lose bytes stay out.
template <class Sink>
void ByteLevel::word(std::string_view word, bool whole, WordCache& cache, Sink& sink) const {
  const uint32_t flag = !whole && model_->takes_whole_words() ? 0x80 : 0;
  const uint32_t size = static_cast<uint32_t>(word.size());
  const bool is_short = word.size() <= WordCache::kShort, keep = word.size() <= WordCache::kLong;
  WordCache::Key key{};
  if (is_short) {
    char bytes[16] = {};
    std::memcpy(bytes, word.data(), word.size());
    key = WordCache::key(bytes, size, flag);
    if (const auto* slot = cache.find(key)) return sink.slot(*slot);
  } else if (keep) {
    if (const auto* slot = cache.find(word, flag)) return sink.slot(*slot);
  }
  cache.scratch.clear();
  model_->ids(word, whole, cache.scratch);
  const bool unknown = has_unknown(word);
  cache.met_unknown |= unknown;
  if (keep && !unknown) {
    if (is_short) {
      cache.put(key, cache.scratch);
    } else {
      cache.put(word, flag, cache.scratch);
    }
  }
  sink.ids(cache.scratch);
}

// A word too long to be kept is cut where no token can reach over, and its parts are looked up.
template <class Sink>
void ByteLevel::long_word(std::string_view text, WordCache& cache, Sink& sink) const {
  if (model_->takes_whole_words()) {
    if (const int32_t id = model_->find(text); id >= 0) {
      cache.scratch.assign(1, id);
      return sink.ids(cache.scratch);
    }
  }
  const bool whole = has_unknown(text);  // bytes that are left out would hide who stands beside whom
  size_t begin = 0;
  for (size_t at = 1; at < text.size() && !whole; ++at) {
    if ((text[at] & 0xC0) == 0x80 || model_->may_cross(text, at)) continue;
    word(text.substr(begin, at - begin), false, cache, sink);
    begin = at;
  }
  word(text.substr(begin), false, cache, sink);
}

template <class Sink>
void ByteLevel::run(std::string_view text, Sink& sink, std::string& dropped) const {
  CachePool::Lease lease(caches_);
  WordCache& cache = *lease;
  cache.met_unknown = false;
  uint32_t ends[kBatch];
  const char* data = text.data();
  uint32_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t n = pretokenizer_.cut(text, at, ends, kBatch);
    sink.reserve(at - begin);
    for (size_t i = 0; i < n; ++i) {
      const uint32_t end = ends[i], size = end - begin;
      const char* p = data + begin;
      const std::string_view piece(p, size);
      begin = end;
      if (size <= WordCache::kShort && text.size() - static_cast<size_t>(p - data) >= 16) {
        if (const auto* slot = cache.find(WordCache::key(p, size, 0))) {
          sink.slot(*slot);
          continue;
        }
      }
      if (size > WordCache::kLong) {
        long_word(piece, cache, sink);
      } else {
        word(piece, true, cache, sink);
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
