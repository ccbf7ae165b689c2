// Attention kernels: against plain float64 code, to the bit between instruction sets, and to the bit between
// ways of taking the same row: alone, in groups, with more keys around it.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel_data.h"

namespace cutaway::testing {
namespace {

// One KV head of a cache: K and V of `keys` positions in blocks, each with what was really stored.
struct Cache {
  Cache(const Table& k, int64_t keys, int64_t d_head, KvType type, uint32_t seed,
        Numbers kind = Numbers::normal)
      : d(d_head), d_pad((d_head + 15) / 16 * 16), type(type), K(keys * d_head), V(keys * d_head) {
    Random random(seed);
    for (int64_t b = 0; b < (keys + kKvBlock - 1) / kKvBlock; ++b) {
      k_blocks.emplace_back(kKvBlock / kLanes * tile_bytes());
      v_blocks.emplace_back(kKvBlock * row_bytes());
      // Slots that were never written hold what was there before, here NaN (0xFFFF...).
      std::memset(k_blocks.back().data(), 0xFF, k_blocks.back().size());
      std::memset(v_blocks.back().data(), 0xFF, v_blocks.back().size());
    }
    for (int64_t p = 0; p < keys; ++p) {
      const std::vector<float> key = numbers(random, d, kind), value = numbers(random, d, kind);
      put(k, p, key.data(), value.data());
    }
    for (auto& b : k_blocks) k_pointers.push_back(b.data());
    for (auto& b : v_blocks) v_pointers.push_back(b.data());
  }
  void put(const Table& k, int64_t p, const float* key, const float* value) {
    uint8_t* tile = k_blocks[p / kKvBlock].data() + p % kKvBlock / kLanes * tile_bytes();
    uint8_t* row = v_blocks[p / kKvBlock].data() + p % kKvBlock * row_bytes();
    bool overflow = false;
    k.store_k(tile, key, p % kLanes, d, type, &overflow);
    k.store_v(row, value, d, type, &overflow);
    k.load_k(&K[p * d], tile, p % kLanes, d, type);
    k.load_v(&V[p * d], row, d, type);
  }
  // keys, values: [keys, d]
  void fill(const Table& k, const std::vector<float>& keys, const std::vector<float>& values) {
    for (int64_t p = 0; p < static_cast<int64_t>(keys.size()) / d; ++p)
      put(k, p, &keys[p * d], &values[p * d]);
  }
  int64_t tile_bytes() const { return kernels::kv_bytes(type, d * kLanes); }
  int64_t row_bytes() const { return kernels::kv_bytes(type, d_pad); }
  int64_t d, d_pad;
  KvType type;
  std::vector<float> K, V;  // [keys, d]
  std::vector<Aligned<uint8_t>> k_blocks, v_blocks;
  std::vector<const void*> k_pointers, v_pointers;
};

struct Rows {
  std::vector<int64_t> lo, hi;
};

struct Result {
  std::vector<float> scores, pattern;  // [rows, last - first]
  std::vector<float> z;                // [rows, d]
  int64_t first, ld;
};

// Scores, softmax and values of some rows as csrc/ops/attention.cpp calls them, over exactly the keys that
// they see.
Result attend(const Table& k, const Cache& c, const std::vector<float>& q, const Rows& rows, float scale,
              float cap) {
  const int64_t n = static_cast<int64_t>(rows.lo.size());
  const int64_t first = *std::min_element(rows.lo.begin(), rows.lo.end()) / kLanes * kLanes;
  const int64_t last = *std::max_element(rows.hi.begin(), rows.hi.end()) / kLanes * kLanes + kLanes,
                ld = last - first;
  Result r{std::vector<float>(n * ld, -7.0f), {}, std::vector<float>(n * c.d), first, ld};
  std::vector<const float*> queries;
  std::vector<float*> z;
  for (int64_t i = 0; i < n; ++i) queries.push_back(&q[i * c.d]), z.push_back(&r.z[i * c.d]);
  // Blocks before the first visible key are not there at all.
  std::vector<const void*> K = c.k_pointers, V = c.v_pointers;
  std::fill(K.begin(), K.begin() + first / kKvBlock, nullptr);
  std::fill(V.begin(), V.begin() + first / kKvBlock, nullptr);
  k.attention_scores(r.scores.data(), ld, queries.data(), n, K.data(), c.d, first, last, scale, cap, c.type);
  r.pattern = r.scores;
  const kernels::AttentionRows visible{static_cast<int>(n), rows.lo.data(), rows.hi.data()};
  k.attention_softmax(r.pattern.data(), ld, &visible, first, last);
  Aligned<float> acc(n * 2 * c.d_pad);
  k.attention_values(z.data(), r.pattern.data(), ld, &visible, first, V.data(), c.d, c.type, acc.data());
  return r;
}

void check_against_float64(const Result& r, const Cache& c, const std::vector<float>& q, const Rows& rows,
                           float scale, float cap, const std::string& where) {
  for (size_t i = 0; i < rows.lo.size(); ++i) {
    const int64_t lo = rows.lo[i], hi = rows.hi[i];
    std::vector<double> e, z(c.d, 0.0);
    double sum = 0.0, top = -std::numeric_limits<double>::infinity();
    for (int64_t key = lo; key <= hi; ++key) {
      double s = 0.0;
      for (int64_t d = 0; d < c.d; ++d) s += static_cast<double>(q[i * c.d + d]) * c.K[key * c.d + d];
      s *= scale;
      if (cap != 0.0f) s = cap * std::tanh(s / cap);
      ASSERT_NEAR(r.scores[i * r.ld + key - r.first], s, 2e-5) << where << " row " << i << " key " << key;
      e.push_back(s);
      top = std::max(top, s);
    }
    for (double& s : e) s = std::exp(s - top), sum += s;
    for (int64_t key = r.first; key < r.first + r.ld; ++key) {
      const float p = r.pattern[i * r.ld + key - r.first];
      if (key < lo || key > hi) {
        ASSERT_EQ(bits_of(p), 0u) << where << " row " << i << " key " << key << " is masked";
        continue;
      }
      ASSERT_NEAR(p, e[key - lo] / sum, 2e-5 * e[key - lo] / sum + 1e-9)
          << where << " row " << i << " key " << key;
      for (int64_t d = 0; d < c.d; ++d) z[d] += e[key - lo] / sum * c.V[key * c.d + d];
    }
    for (int64_t d = 0; d < c.d; ++d)
      ASSERT_NEAR(r.z[i * c.d + d], z[d], 2e-5) << where << " row " << i << " dim " << d;
  }
}

bool same(const Result& a, const Result& b, const Rows& rows, int64_t d, int64_t row_a, int64_t row_b) {
  const int64_t lo = rows.lo[row_b], n = rows.hi[row_b] - lo + 1;
  return SameBits(&a.scores[row_a * a.ld + lo - a.first], &b.scores[row_b * b.ld + lo - b.first], n) &&
         SameBits(&a.pattern[row_a * a.ld + lo - a.first], &b.pattern[row_b * b.ld + lo - b.first], n) &&
         SameBits(&a.z[row_a * d], &b.z[row_b * d], d);
}

// The rows of `n` queries from `position` on, `group` heads each, in a window (0: none).
Rows causal(int64_t position, int64_t n, int64_t group, int64_t window) {
  Rows out;
  for (int64_t r = 0; r < n * group; ++r) {
    const int64_t at = position + r / group;
    out.hi.push_back(at);
    out.lo.push_back(window ? std::max<int64_t>(0, at - window + 1) : 0);
  }
  return out;
}

struct Case {
  int64_t position, queries, group, window;
};
// First key, ends of vectors, of blocks, of segments; windows that start inside, at and past a segment's
// edge, and that are shorter than the run of queries (then no key is seen by all rows).
const Case kCases[] = {{0, 1, 1, 0},     {0, 8, 3, 0},   {15, 2, 1, 0},    {63, 3, 3, 0},   {255, 1, 1, 0},
                       {254, 8, 1, 0},   {511, 8, 3, 0}, {600, 5, 1, 0},   {300, 8, 2, 20}, {516, 8, 1, 5},
                       {520, 8, 3, 256}, {255, 8, 4, 1}, {767, 7, 1, 512}, {48, 8, 1, 16}};
constexpr int64_t kKeys = 776;

void check_cases(int64_t d_head, KvType type, float cap, Numbers kind) {
  const Cache cache(scalar(), kKeys, d_head, type, 31, kind);
  const float scale = 1.0f / std::sqrt(static_cast<float>(d_head));
  for (const Case& c : kCases) {
    const Rows rows = causal(c.position, c.queries, c.group, c.window);
    Random random(static_cast<uint32_t>(c.position));
    const std::vector<float> q = numbers(random, c.queries * c.group * d_head, kind);
    const Result want = attend(scalar(), cache, q, rows, scale, cap);
    const std::string where = "d_head " + std::to_string(d_head) + " " + name_of(type) + " position " +
                              std::to_string(c.position) + " window " + std::to_string(c.window);
    if (kind == Numbers::normal) check_against_float64(want, cache, q, rows, scale, cap, where);
    for (const Table* k : tables()) {
      const Result got = attend(*k, cache, q, rows, scale, cap);
      for (size_t r = 0; r < rows.lo.size(); ++r)
        ASSERT_TRUE(same(got, want, rows, d_head, r, r)) << k->isa << " " << where << " row " << r;
      ASSERT_TRUE(SameBits(got.pattern.data(), want.pattern.data(), static_cast<int64_t>(got.pattern.size())))
          << k->isa;
      // The same rows in groups of 1, 3 and 8.
      for (size_t size : {1, 3, 8})
        for (size_t begin = 0; begin < rows.lo.size(); begin += size) {
          const size_t end = std::min(begin + size, rows.lo.size());
          const Rows part{{rows.lo.begin() + begin, rows.lo.begin() + end},
                          {rows.hi.begin() + begin, rows.hi.begin() + end}};
          const Result alone =
              attend(*k, cache, {q.begin() + begin * d_head, q.begin() + end * d_head}, part, scale, cap);
          for (size_t r = begin; r < end; ++r)
            ASSERT_TRUE(same(alone, want, rows, d_head, r - begin, r))
                << k->isa << " " << where << " row " << r << " of " << size;
        }
    }
  }
}

TEST(AttentionKernels, Float32Cache) {
  for (int64_t d_head : {16, 20, 64, 80, 256}) check_cases(d_head, KvType::f32, 0.0f, Numbers::normal);
}
TEST(AttentionKernels, Float16Cache) {
  for (int64_t d_head : {16, 20, 64, 80, 256, 272})
    if (!kSanitized || d_head % 16 != 0 || d_head == 80)
      check_cases(d_head, KvType::f16, 0.0f, Numbers::normal);
}
TEST(AttentionKernels, CodedCache) {
  for (int64_t d_head : {32, 64, 96, 256, 288})
    if (!kSanitized || d_head == 32 || d_head == 96) check_cases(d_head, KvType::q8_0, 0.0f, Numbers::normal);
}
TEST(AttentionKernels, SoftCap) {
  for (float cap : {2.0f, 50.0f}) check_cases(20, KvType::f16, cap, Numbers::normal);
}
TEST(AttentionKernels, WideAndHostileNumbers) {
  for (Numbers kind : {Numbers::wide, Numbers::hostile})
    for (KvType type : kEveryKvType) check_cases(type == KvType::q8_0 ? 32 : 20, type, 0.0f, kind);
}

// What is stored in fewer bits is widened and no more: the bits of a float32 cache that holds the widened
// numbers.
TEST(AttentionKernels, StoredInFewerBitsIsWidenedFirst) {
  for (KvType type : {KvType::f16, KvType::q8_0})
    for (int64_t d_head : {64, 288}) {
      const Cache coded(scalar(), 300, d_head, type, 17);
      Cache wide(scalar(), 300, d_head, KvType::f32, 18);
      wide.fill(scalar(), coded.K, coded.V);
      for (const auto& [queries, group] : {std::pair<int64_t, int64_t>{1, 3}, {8, 3}}) {
        const Rows rows = causal(290, queries, group, 0);
        Random random(19);
        const std::vector<float> q = numbers(random, queries * group * d_head, Numbers::normal);
        const Result want = attend(scalar(), wide, q, rows, 0.125f, 0.0f);
        for (const Table* k : tables()) {
          const Result got = attend(*k, coded, q, rows, 0.125f, 0.0f);
          for (size_t r = 0; r < rows.lo.size(); ++r)
            ASSERT_TRUE(same(got, want, rows, d_head, r, r))
                << k->isa << " " << name_of(type) << " row " << r;
        }
      }
    }
}

// A row whose scores hold a NaN is NaN where it sees and +0 where it does not: a mask holds whatever the
// values are.
TEST(AttentionKernels, MaskedKeysStayZeroInARowOfNaN) {
  for (const Table* k : tables()) {
    std::vector<float> s(48, 1.0f);
    s[20] = std::numeric_limits<float>::quiet_NaN();
    const int64_t lo = 18, hi = 29;
    const kernels::AttentionRows visible{1, &lo, &hi};
    k->attention_softmax(s.data(), 48, &visible, 0, 48);
    for (int64_t key = 0; key < 48; ++key)
      if (key < lo || key > hi)
        EXPECT_EQ(bits_of(s[key]), 0u) << k->isa << " key " << key;
      else
        EXPECT_TRUE(std::isnan(s[key])) << k->isa << " key " << key;
  }
}

// The order of the sums: 16 lanes and a tree per segment of 256 absolute positions, then segments ascending.
TEST(AttentionKernels, SoftmaxSumsBySegment) {
  const int64_t lo = 250, hi = 700, first = 240, last = 704;
  for (uint32_t seed = 0; seed < 40; ++seed) {  // one sum may come out the same in another order
    Random random(seed);
    std::vector<float> s = numbers(random, last - first, Numbers::normal), e(s);
    float top = -std::numeric_limits<float>::infinity();
    for (int64_t p = lo; p <= hi; ++p) top = std::max(top, s[p - first]);
    for (float& x : e) x -= top;
    scalar().exp(e.data(), e.data(), last - first);
    float sum = 0.0f;
    for (int64_t segment = 0; segment <= hi; segment += kSegment) {
      float lanes[16] = {};
      for (int64_t p = std::max(segment, lo); p <= std::min(segment + kSegment - 1, hi); ++p)
        lanes[p % 16] += e[p - first];
      for (int half = 8; half; half /= 2)
        for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
      sum += lanes[0];
    }
    const kernels::AttentionRows visible{1, &lo, &hi};
    scalar().attention_softmax(s.data(), last - first, &visible, first, last);
    for (int64_t p = lo; p <= hi; ++p)
      ASSERT_EQ(bits_of(s[p - first]), bits_of(e[p - first] / sum)) << "seed " << seed << " key " << p;
  }
}

// Kept rows of a map: what is visible as it is, the rest masked, not a float more; past the caches or not; a
// row that is not kept is stepped over.
TEST(AttentionKernels, AMapHoldsWhatIsVisible) {
  const float masked = -std::numeric_limits<float>::infinity();
  Random random(15);
  const int64_t first = 16, ld = 384;  // scores of keys [16, 400)
  const std::vector<float> s = numbers(random, 3 * ld, Numbers::normal);
  for (const Table* k : tables())
    for (int64_t n : {17, 31, 32, 33, 48, 399, 400})
      for (int64_t lo : {16, 17, 31, 32, 33})
        for (int64_t hi : {16, 17, 30, 31, 32, 33, 64, 399})
          for (int64_t offset : {0, 1})
            for (bool past_caches : {false, true}) {
              if (lo > hi || hi >= n) continue;
              const int64_t from[] = {lo, lo, 16}, to[] = {hi, hi, hi};
              const kernels::AttentionRows visible{3, from, to};
              Aligned<float> a(n + offset + 1), b(n + offset + 1);
              a[n + offset] = b[n + offset] = 7.0f;
              float* out[] = {a.data() + offset, nullptr, b.data() + offset};
              k->attention_map(out, s.data(), ld, &visible, first, n, masked, past_caches);
              for (int r : {0, 2})
                for (int64_t i = 0; i < n; ++i)
                  ASSERT_EQ(bits_of(out[r][i]),
                            bits_of(i < from[r] || i > to[r] ? masked : s[r * ld + i - first]))
                      << k->isa << " n " << n << " lo " << lo << " hi " << hi << " row " << r << " key " << i;
              ASSERT_EQ(a[n + offset], 7.0f) << k->isa << " n " << n;
              ASSERT_EQ(b[n + offset], 7.0f) << k->isa << " n " << n;
            }
}

TEST(AttentionKernels, ValueSumsBySegment) {
  const int64_t lo = 250, hi = 700, d = 32;
  for (KvType type : kEveryKvType) {
    const Cache cache(scalar(), hi + 1, d, type, 13);
    Random random(14);
    const std::vector<float> p = numbers(random, 704, Numbers::normal);
    std::vector<float> want(d, 0.0f), got(d);
    for (int64_t segment = 0; segment <= hi; segment += kSegment)
      for (int64_t i = 0; i < d; ++i) {
        float acc = 0.0f;
        for (int64_t key = std::max(segment, lo); key <= std::min(segment + kSegment - 1, hi); ++key)
          acc = std::fmaf(p[key], cache.V[key * d + i], acc);
        want[i] += acc;
      }
    const kernels::AttentionRows visible{1, &lo, &hi};
    Aligned<float> scratch(2 * cache.d_pad);
    float* z = got.data();
    scalar().attention_values(&z, p.data(), 704, &visible, 0, cache.v_pointers.data(), d, type,
                              scratch.data());
    ASSERT_TRUE(SameBits(got.data(), want.data(), d)) << name_of(type);
  }
}

}  // namespace
}  // namespace cutaway::testing
