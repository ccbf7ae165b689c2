// The ids of one word by way of a cache.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/word_cache.h"
#include "tokenizer/word_model.h"

namespace cutaway {

// encode(std::vector<WordToken>&) makes the tokens of the word where the cache has none. 16 bytes may be read
// from where the word begins. The ids are good until the cache is asked again.
template <class Encode>
std::span<const int32_t> cached_ids(WordCache& cache, std::string_view word, const Encode& encode) {
  const bool is_short = word.size() <= WordCache::kShort;
  WordCache::Key key{};
  if (is_short) {
    key = WordCache::key(word.data(), static_cast<uint32_t>(word.size()), 0);
    if (const auto known = cache.find(key); known.data()) return known;
  } else if (word.size() <= WordCache::kLong) {
    if (const auto known = cache.find(word, 0); known.data()) return known;
  }
  thread_local std::vector<WordToken> tokens;
  tokens.clear();
  encode(tokens);
  cache.gathered.clear();
  for (const WordToken& token : tokens) cache.gathered.push_back(token.id);
  if (is_short) {
    cache.put(key, cache.gathered);
  } else if (word.size() <= WordCache::kLong) {
    cache.put(word, 0, cache.gathered);
  }
  return cache.gathered;
}

}  // namespace cutaway
