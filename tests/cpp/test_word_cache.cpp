// The cache of words: what is found is what was put, and no text makes it grow.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>

#include "alloc_peak.h"
#include "tokenizer/word_cache.h"

namespace cutaway {
namespace {

TEST(WordCache, HoldsWhatWasPutAndNeverGrows) {
  constexpr int kWords = 300000;  // of about 130 bytes and 20 ids each: several times what it can hold
  std::mt19937_64 random(1);
  char word[1040];
  int32_t ids[40];
  WordCache cache;
  const testing::AllocPeak peak;
  for (int i = 0; i < kWords; ++i) {
    const size_t size = 8 + random() % (i % 8 ? 32 : 1000), n = 1 + random() % std::min<size_t>(size, 40);
    std::generate(word, word + 16 + size, [&] { return static_cast<char>(random()); });
    std::generate(ids, ids + n, [&] { return static_cast<int32_t>(random() >> 33); });
    std::span<const int32_t> found;
    if (size <= WordCache::kShort) {
      const WordCache::Key key = WordCache::key(word, static_cast<uint32_t>(size), 0);
      ASSERT_EQ(cache.find(key).data(), nullptr);
      cache.put(key, {ids, n});
      found = cache.find(key);
    } else {
      const std::string_view view(word, size);
      ASSERT_EQ(cache.find(view, 0).data(), nullptr);
      cache.put(view, 0, {ids, n});
      ASSERT_EQ(cache.find(view, WordCache::kLongPart).data(), nullptr);
      found = cache.find(view, 0);
    }
    ASSERT_TRUE(std::equal(found.begin(), found.end(), ids, ids + n)) << "word " << i;
  }
  EXPECT_EQ(peak.bytes(), 0u);
}

TEST(WordCache, PoolKeepsAsManyAsWereOutAtOnce) {
  CachePool pool;
  WordCache* first = nullptr;
  for (int i = 0; i < 100; ++i) {
    CachePool::Lease one(pool);
    if (!first) first = &*one;
    EXPECT_EQ(&*one, first);
    EXPECT_LE((*one).scratch.capacity() + (*one).gathered.capacity(), 2 * WordCache::kKept);
    (*one).scratch.resize(size_t{1} << (i % 24));  // as if a word had made so many ids
    (*one).gathered.resize(size_t{1} << (i % 20));
  }
}

}  // namespace
}  // namespace cutaway
