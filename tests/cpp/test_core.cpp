// Threads, the floating-point environment, what the compiler may not do, fork, sines and buffers.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_neon.h>
#endif

#include "caller_word.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/sincos.h"
#include "kernel_data.h"
#include "model/weights.h"

namespace cutaway::testing {
namespace {

// ---- threads

// Workers add to a cell of their own, meet, and read everybody's: each must see all of the step before.
void run_steps(int threads, int steps) {
  std::vector<int64_t> cell(threads, 0);
  std::atomic<int> wrong{0}, workers{0};
  parallel(threads, [&](Worker& w) {
    ++workers;
    for (int step = 1; step <= steps; ++step) {
      cell[w.id] += step;
      w.sync();
      int64_t sum = 0;
      for (int i = 0; i < w.count; ++i) sum += cell[i];
      if (sum != int64_t{w.count} * step * (step + 1) / 2) ++wrong;
      w.sync();
    }
  });
  EXPECT_EQ(wrong, 0) << threads << " threads";
  EXPECT_EQ(workers, threads);
}

TEST(Parallel, BarriersSeparateSteps) {
  for (int threads : {1, 2, 3, 4}) run_steps(threads, 200);
}

TEST(Parallel, ManyRegions) {
  for (int i = 0; i < 200; ++i) run_steps(1 + i % 4, 3);
}

// More threads than cores: the barrier must sleep instead of spinning for ever.
TEST(Parallel, Oversubscription) { run_steps(16, 50); }

TEST(Parallel, RegionsOfSeveralCallersAtOnce) {
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i)
    callers.emplace_back([] {
      for (int k = 0; k < 20; ++k) run_steps(2, 5);
    });
  for (auto& t : callers) t.join();
}

TEST(Parallel, SharesCoverEverythingOnce) {
  for (int count : {1, 2, 3, 4, 7})
    for (int64_t n : {0, 1, 2, 5, 16, 1000}) {
      int64_t next = 0;
      for (int id = 0; id < count; ++id) {
        const Worker w{id, count, nullptr};
        EXPECT_EQ(w.first(n), next);
        next = w.last(n);
      }
      EXPECT_EQ(next, n);
    }
}

#ifdef _OPENMP
// The run time may give a smaller team than asked for (a thread limit; a caller that is a worker of another
// team). The region then runs on the threads that there are.
TEST(Parallel, SmallerTeamThanAskedFor) {
  std::atomic<int> sum{0};
#pragma omp parallel num_threads(2)
  parallel(3, [&](Worker& w) {
    w.sync();
    sum += static_cast<int>(w.last(6) - w.first(6));
    w.sync();
  });
  EXPECT_EQ(sum, 2 * 6);
}
#endif

// A child has no team. It runs on one thread, whatever is asked for; the parent goes on as before.
TEST(Parallel, ForkedChildRunsOnOneThread) {
  run_steps(3, 2);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    int workers = 0;
    parallel(3, [&](Worker& w) {
      workers += w.count;
      w.sync();
    });
    _exit(in_forked_child() && usable_threads(3) == 1 && workers == 1 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_FALSE(in_forked_child());
  run_steps(3, 2);
}

// ---- the floating-point environment

// Runs `work` into an array under the usual word and under the caller's; both must give the same bits.
void same_in_both_words(int64_t n, const std::function<void(float*)>& work) {
  std::vector<float> want(n), got(n);
  work(want.data());
  bool kept;
  {
    const CallerWord word;
    work(got.data());
    kept = word.kept();
  }
  EXPECT_TRUE(kept) << "the caller's word was not restored";
  EXPECT_TRUE(SameBits(got.data(), want.data(), n));
}

TEST(FloatEnvironment, RegionsIgnoreTheCallersWordAndRestoreIt) {
  const int64_t n = 4096;
  Random random(1);
  const std::vector<float> a = numbers(random, n, Numbers::normal), b = numbers(random, n, Numbers::wide);
  for (const Table* k : tables())
    for (int threads : {1, 3}) {
      const auto region = [&](float* out) {
        parallel(threads, [&](Worker& w) {
          const int64_t at = w.first(n), count = w.last(n) - at;
          k->silu_mul(out + at, &a[at], &b[at], count);  // reads subnormals, rounds
          k->scale(out + at, out + at, 1e-3f, count);    // makes new ones
        });
      };
      same_in_both_words(n, region);
      std::vector<float> out(n);
      region(out.data());
      EXPECT_TRUE(
          std::any_of(out.begin(), out.end(), [](float x) { return std::fpclassify(x) == FP_SUBNORMAL; }));
    }
}

// Weights decoded on the caller's thread: Q4_1's d q + m rounds.
TEST(FloatEnvironment, DecodedWeightsDoNotDependOnTheCallersWord) {
  for (const Table* k : tables())
    for (int type = 0; type < k->n_quants; ++type) {
      const Quant& q = k->quants[type];
      Random random(4);
      Matrix m;
      m.quant = type;
      m.rows = 32, m.cols = std::max(q.block, 32);
      const Packed w = random_matrix(random, q, m.rows, m.cols, Scales::ordinary);
      m.tiles = {std::shared_ptr<const void>(), w.tiles.data()};
      const NamedWeight named{"W", "w", Orientation::plain, &m, nullptr, 1};
      same_in_both_words(m.rows * m.cols, [&](float* out) { decode_weight(named, *k, out); });
    }
}

// ---- contraction: a * b + c must round twice, also where the processor could fuse it.

#if defined(__x86_64__)
#define MAY_FUSE __attribute__((target("avx2,fma"), noinline))
MAY_FUSE float multiply_add_vector(float a, float b, float c) {
  return _mm256_cvtss_f32(
      _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(a), _mm256_set1_ps(b)), _mm256_set1_ps(c)));
}
bool can_fuse() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#else
#define MAY_FUSE __attribute__((noinline))
MAY_FUSE float multiply_add_vector(float a, float b, float c) {
  return vgetq_lane_f32(vaddq_f32(vmulq_f32(vdupq_n_f32(a), vdupq_n_f32(b)), vdupq_n_f32(c)), 0);
}
bool can_fuse() { return true; }
#endif
MAY_FUSE float multiply_add(float a, float b, float c) { return a * b + c; }

TEST(Contraction, ProductsAndSumsAreNotFused) {
  if (!can_fuse()) GTEST_SKIP() << "this processor cannot fuse";
  // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: the last term is lost when the product is rounded, and kept by fma.
  const float a = 1.0f + 0x1p-12f, c = -(1.0f + 0x1p-11f);
  ASSERT_EQ(std::fmaf(a, a, c), 0x1p-24f);
  EXPECT_EQ(multiply_add(a, a, c), 0.0f);
  EXPECT_EQ(multiply_add_vector(a, a, c), 0.0f);
}

// ---- sin and cos

TEST(SinCos, WithinTheStatedError) {
  long double worst = 0;
  const auto check = [&](double x) {
    double s, c;
    sincos_exact(x, &s, &c);
    worst = std::max({worst, std::fabs(s - sinl(static_cast<long double>(x))),
                      std::fabs(c - cosl(static_cast<long double>(x)))});
  };
  std::mt19937_64 random(7);
  for (double range : {1e-300, 1e-8, 0.5, 10.0, 1000.0, 0x1p20}) {
    std::uniform_real_distribution<double> x(-range, range);
    for (int i = 0; i < 50000; ++i) check(x(random));
  }
  for (int k = 0; k < 667544; k += 7)  // multiples of pi/2, where digits cancel
    for (double step : {-1e-9, 0.0, 1e-9}) check(k * 1.57079632679489661923 + step);
  for (float angle = 0.0f; angle < 0x1p20f; angle += 1021.0f)
    check(angle);  // positions times a frequency of 1
  EXPECT_LT(static_cast<double>(worst), 1e-15);
  double s, c;
  sincos_exact(0.0, &s, &c);
  EXPECT_EQ(s, 0.0);
  EXPECT_EQ(c, 1.0);
}

// ---- buffers

TEST(Buffer, AlignedAndZeroed) {
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{63}, size_t{4097}, size_t{3} << 20}) {
    const Buffer b(bytes);
    EXPECT_EQ(b.bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data()) % (bytes >= size_t{2} << 20 ? size_t{2} << 20 : 64), 0u);
    const char* p = static_cast<const char*>(b.data());
    EXPECT_TRUE(std::all_of(p, p + bytes, [](char x) { return x == 0; }));
  }
  EXPECT_THROW(Buffer(SIZE_MAX), MemoryLimitError);
  EXPECT_THROW(Buffer(SIZE_MAX - 63), MemoryLimitError);
}

TEST(BufferPool, BuffersComeBack) {
  BufferPool pool(size_t{1} << 20);
  void* first = pool.take(10000)->data();
  EXPECT_EQ(pool.take(10000)->data(), first) << "the buffer of the same size is used again";
  EXPECT_EQ(pool.take(9000)->data(), first) << "and of nearly the same size";
  const auto a = pool.take(10000), b = pool.take(10000);
  EXPECT_EQ(a->data(), first);
  EXPECT_NE(b->data(), first) << "never one that is in use";
  EXPECT_GE(pool.take(12345)->bytes(), 12345u);
}

TEST(BufferPool, KeepsNoMoreThanItMay) {
  BufferPool pool(16384);
  std::weak_ptr<Buffer> gone;
  {
    const auto a = pool.take(8192), b = pool.take(8192), c = pool.take(8192);
    gone = c;
  }
  EXPECT_TRUE(gone.expired());
  const auto large = pool.take(1 << 20);
  EXPECT_GE(large->bytes(), size_t{1} << 20);
}

TEST(BufferPool, BuffersOutliveTheirPool) {
  std::shared_ptr<Buffer> kept;
  {
    BufferPool pool(size_t{1} << 20);
    kept = pool.take(100);
  }
  std::memset(kept->data(), 1, kept->bytes());
  EXPECT_EQ(static_cast<char*>(kept->data())[99], 1);
}

TEST(BufferPool, FromManyThreads) {
  BufferPool pool(size_t{1} << 20);
  std::atomic<int> torn{0};
  parallel(4, [&](Worker& w) {
    for (int i = 0; i < 200; ++i) {
      const auto b = pool.take(4096);
      std::memset(b->data(), w.id, 4096);
      const char* p = static_cast<const char*>(b->data());
      if (!std::all_of(p, p + 4096, [&](char x) { return x == w.id; })) ++torn;
    }
  });
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace cutaway::testing
