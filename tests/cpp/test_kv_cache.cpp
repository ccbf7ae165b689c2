// The KV cache: blocks, the length, sharing between forks and copies on write.
#include <algorithm>
#include <set>

#include "kernel_data.h"
#include "model/kv_cache.h"

namespace cutaway::testing {
namespace {

class KvCacheTest : public ::testing::TestWithParam<KvType> {
 protected:
  KvCacheTest() : pool(size_t{64} << 20) {
    shape.n_layers = 2, shape.n_kv_heads = 3;
    shape.d_head = GetParam() == KvType::q8_0 ? 32 : 20;
    shape.type = GetParam();
  }

  // Writes positions [length, length + n) the way the engine does; every value tells where it is.
  // Exact in f16, and in codes where a block of 32 begins with 127.
  static float value(int64_t p, int64_t layer, int64_t head, int64_t d, int tag) {
    const int64_t most = GetParam() == KvType::q8_0 ? 127 : 1999;
    return static_cast<float>(d ? (p * 7 + layer * 5 + head * 3 + d + tag * 11) % most : 127);
  }
  void append(KvCache& cache, int64_t n, int tag) {
    cache.reserve(n);
    for (int64_t p = cache.length(); p < cache.length() + n; ++p)
      for (int64_t layer = 0; layer < shape.n_layers; ++layer)
        for (int64_t head = 0; head < shape.n_kv_heads; ++head) {
          std::vector<float> k, v;
          for (int64_t d = 0; d < shape.d_head; ++d)
            k.push_back(value(p, layer, head, d, tag)), v.push_back(-k.back());
          const int64_t slot = p % kKvBlock;
          bool overflow = false;
          scalar().store_k(cache.k(p / kKvBlock, layer, head) + slot / kLanes * shape.tile_bytes(), k.data(),
                           slot % kLanes, shape.d_head, shape.type, &overflow);
          scalar().store_v(cache.v(p / kKvBlock, layer, head) + slot * shape.row_bytes(), v.data(),
                           shape.d_head, shape.type, &overflow);
        }
    cache.commit(n);
  }
  // Position p must hold what was written with tags[p].
  void check(const KvCache& cache, const std::vector<int>& tags) {
    ASSERT_EQ(cache.length(), static_cast<int64_t>(tags.size()));
    for (const Table* table : tables())
      for (int64_t layer = 0; layer < shape.n_layers; ++layer) {
        const int64_t width = shape.n_kv_heads * shape.d_head;
        std::vector<float> k(cache.length() * width), v(k.size());
        cache.read(layer, *table, k.data(), v.data());
        for (int64_t i = 0; i < static_cast<int64_t>(k.size()); ++i) {
          const int64_t p = i / width;
          const float want = value(p, layer, i % width / shape.d_head, i % shape.d_head, tags[p]);
          ASSERT_EQ(k[i], want) << "position " << p;
          ASSERT_EQ(v[i], -want) << "position " << p;
        }
      }
  }
  static std::vector<int> tags(std::vector<std::pair<int, int>> runs) {  // (count, tag)
    std::vector<int> out;
    for (auto [count, tag] : runs) out.insert(out.end(), count, tag);
    return out;
  }

  KvShape shape;
  BufferPool pool;
};

TEST_P(KvCacheTest, AppendsInAnyPieces) {
  for (int64_t piece : {1, 7, 63, 64, 65, 150}) {
    KvCache cache(shape, &pool);
    EXPECT_EQ(cache.length(), 0);
    EXPECT_EQ(cache.n_blocks(), 0);
    while (cache.length() < 150) append(cache, std::min<int64_t>(piece, 150 - cache.length()), 0);
    check(cache, tags({{150, 0}}));
    EXPECT_EQ(cache.n_blocks(), 3);
  }
}

TEST_P(KvCacheTest, BlocksDoNotOverlap) {
  KvCache cache(shape, &pool);
  cache.reserve(129);
  std::set<std::pair<char*, char*>> ranges;
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t layer = 0; layer < 2; ++layer)
      for (int64_t head = 0; head < 3; ++head) {
        ranges.insert({cache.k(b, layer, head), cache.k(b, layer, head) + shape.k_bytes()});
        ranges.insert({cache.v(b, layer, head), cache.v(b, layer, head) + shape.v_bytes()});
      }
  ASSERT_EQ(ranges.size(), 36u);
  char* end = nullptr;
  for (auto [from, to] : ranges) {
    EXPECT_GE(from, end);
    end = to;
  }
  const int64_t position = GetParam() == KvType::q8_0  ? 2 * (32 + 4)   // codes, and a scale for each 32
                           : GetParam() == KvType::f16 ? 2 * (20 + 32)  // values are padded to 16
                                                       : 4 * (20 + 32);
  EXPECT_EQ(shape.block_bytes(), 2 * 3 * 64 * position);
}

TEST_P(KvCacheTest, TruncateDropsWholeBlocks) {
  KvCache cache(shape, &pool);
  append(cache, 150, 0);
  cache.truncate(128);
  EXPECT_EQ(cache.n_blocks(), 2);
  check(cache, tags({{128, 0}}));
  cache.truncate(70);
  EXPECT_EQ(cache.n_blocks(), 2);
  append(cache, 80, 1);
  check(cache, tags({{70, 0}, {80, 1}}));
  cache.truncate(0);
  EXPECT_EQ(cache.n_blocks(), 0);
  append(cache, 1, 2);
  check(cache, tags({{1, 2}}));
}

TEST_P(KvCacheTest, ReserveAloneChangesNothingThatIsSeen) {
  KvCache cache(shape, &pool);
  append(cache, 60, 0);
  cache.reserve(200);
  EXPECT_EQ(cache.length(), 60);
  check(cache, tags({{60, 0}}));
  cache.truncate(cache.length());  // what a failed call does
  EXPECT_EQ(cache.n_blocks(), 1);
  cache.reserve(0);
  EXPECT_EQ(cache.n_blocks(), 1);
}

TEST_P(KvCacheTest, ForksShareUntilTheyWrite) {
  KvCache a(shape, &pool);
  append(a, 100, 0);
  KvCache b = a.fork();
  for (int64_t block : {0, 1}) EXPECT_EQ(a.k(block, 0, 0), b.k(block, 0, 0));
  append(b, 40, 1);
  EXPECT_EQ(a.k(0, 0, 0), b.k(0, 0, 0)) << "a full block stays shared";
  EXPECT_NE(a.k(1, 0, 0), b.k(1, 0, 0)) << "the block that was appended to was copied";
  char* const mine = a.k(1, 0, 0);
  append(a, 30, 2);
  EXPECT_EQ(a.k(1, 0, 0), mine) << "the other is its only owner now and copies nothing";
  check(a, tags({{100, 0}, {30, 2}}));
  check(b, tags({{100, 0}, {40, 1}}));
}

TEST_P(KvCacheTest, ForkThenTruncateThenAppend) {
  KvCache a(shape, &pool);
  append(a, 128, 0);
  KvCache b = a.fork(), c = a.fork();
  b.truncate(10);
  append(b, 100, 1);
  c.truncate(64);
  append(c, 1, 2);
  check(a, tags({{128, 0}}));
  check(b, tags({{10, 0}, {100, 1}}));
  check(c, tags({{64, 0}, {1, 2}}));
  EXPECT_EQ(a.k(0, 0, 0), c.k(0, 0, 0));
}

TEST_P(KvCacheTest, ForkOutlivesItsParent) {
  std::vector<KvCache> forks;
  {
    KvCache a(shape, &pool);
    append(a, 70, 0);
    forks.push_back(a.fork());
  }
  append(forks[0], 5, 1);
  check(forks[0], tags({{70, 0}, {5, 1}}));
}

// What is announced is what is taken: new blocks, and the copy of a shared one.
TEST_P(KvCacheTest, BytesToReserve) {
  KvCache a(shape, &pool);
  const int64_t block = shape.block_bytes();
  EXPECT_EQ(a.bytes_to_reserve(0), 0);
  EXPECT_EQ(a.bytes_to_reserve(1), block);
  EXPECT_EQ(a.bytes_to_reserve(64), block);
  EXPECT_EQ(a.bytes_to_reserve(65), 2 * block);
  append(a, 60, 0);
  EXPECT_EQ(a.bytes_to_reserve(4), 0);
  EXPECT_EQ(a.bytes_to_reserve(5), block);
  KvCache b = a.fork();
  EXPECT_EQ(b.bytes_to_reserve(0), 0);
  EXPECT_EQ(b.bytes_to_reserve(4), block) << "the copy";
  EXPECT_EQ(b.bytes_to_reserve(5), 2 * block);
  append(a, 4, 0);
  KvCache c = a.fork();
  EXPECT_EQ(c.bytes_to_reserve(1), block) << "a full shared block is not copied";
  c.truncate(63);
  EXPECT_EQ(c.bytes_to_reserve(1), block);
  EXPECT_EQ(c.bytes_to_reserve(2), 2 * block);
}

INSTANTIATE_TEST_SUITE_P(Storage, KvCacheTest, ::testing::ValuesIn(kEveryKvType),
                         [](const auto& info) { return name_of(info.param); });

}  // namespace
}  // namespace cutaway::testing
