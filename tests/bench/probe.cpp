// What this machine can do at best: bytes read and written per second, int8 and float32 operations per
// second.
//
//   probe read|write BYTES THREADS SWEEPS     one line per sweep: GB/s
//   probe int8|f32 0 THREADS SWEEPS           one line per sweep: Gop/s (a multiply and an add are two)
//   probe isa                                 what the two arithmetic loops use
//
// Compiled for the machine it runs on (-march=native). Twelve independent accumulators hide the latency of a
// fused multiply-add on every core of the last ten years; their sum is printed, so that nothing is optimised
// away.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__) && defined(__AVX512VNNI__)
const char* kInt8 = "AVX-512 VNNI";
using Bytes = __m512i;
Bytes bytes_of(int v) { return _mm512_set1_epi8(static_cast<char>(v)); }
Bytes dot(Bytes acc, Bytes a, Bytes b) { return _mm512_dpbusd_epi32(acc, a, b); }
#elif defined(__AVXVNNI__)
const char* kInt8 = "AVX-VNNI";
using Bytes = __m256i;
Bytes bytes_of(int v) { return _mm256_set1_epi8(static_cast<char>(v)); }
Bytes dot(Bytes acc, Bytes a, Bytes b) { return _mm256_dpbusd_avx_epi32(acc, a, b); }
#elif defined(__AVX2__)
const char* kInt8 = "AVX2 (maddubs, madd)";
using Bytes = __m256i;
Bytes bytes_of(int v) { return _mm256_set1_epi8(static_cast<char>(v)); }
Bytes dot(Bytes acc, Bytes a, Bytes b) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
}
#else
const char* kInt8 = "none";
#endif

#if defined(__AVX512F__)
const char* kF32 = "AVX-512 FMA";
using Floats = __m512;
Floats floats_of(float v) { return _mm512_set1_ps(v); }
Floats fma(Floats acc, Floats a, Floats b) { return _mm512_fmadd_ps(a, b, acc); }
#elif defined(__AVX2__) && defined(__FMA__)
const char* kF32 = "AVX2 FMA";
using Floats = __m256;
Floats floats_of(float v) { return _mm256_set1_ps(v); }
Floats fma(Floats acc, Floats a, Floats b) { return _mm256_fmadd_ps(a, b, acc); }
#else
const char* kF32 = "16-byte vectors";
typedef float Floats __attribute__((vector_size(16)));
Floats floats_of(float v) { return Floats{v, v, v, v}; }
Floats fma(Floats acc, Floats a, Floats b) { return acc + a * b; }
#endif

constexpr int kAccumulators = 12;
constexpr int64_t kSteps = 4'000'000;  // some 10 ms
std::atomic<double> sink{0};

#if defined(__x86_64__)
#define OPAQUE(x) asm volatile("" : "+v"(x))
#else
#define OPAQUE(x) asm volatile("" : "+w"(x))
#endif

template <class V, class Step>
void arithmetic(V a, V b, Step step) {
  V acc[kAccumulators];
  for (int j = 0; j < kAccumulators; ++j) acc[j] = a;
  for (int64_t i = 0; i < kSteps; i += 8) {
#pragma GCC unroll 8
    for (int repeat = 0; repeat < 8; ++repeat) {
#pragma GCC unroll 12
      for (int j = 0; j < kAccumulators; ++j) acc[j] = step(acc[j], a, b);
    }
    OPAQUE(a);  // to the compiler the operands may have changed, so no step can be left out
    OPAQUE(b);
  }
  V total = acc[0];
#pragma GCC unroll 12
  for (int j = 1; j < kAccumulators; ++j) total = step(total, acc[j], acc[j]);
  unsigned char first;
  std::memcpy(&first, &total, 1);
  sink.store(first);
}

using Word = uint64_t;
typedef Word Words __attribute__((vector_size(64), aligned(64)));

void read_all(const char* from, int64_t bytes) {
  const Words* p = reinterpret_cast<const Words*>(from);
  Words acc[4] = {};
  const int64_t n = bytes / 64;
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int j = 0; j < 4; ++j) acc[j] ^= p[i + j];
  Words all = acc[0] ^ acc[1] ^ acc[2] ^ acc[3];
  sink.store(static_cast<double>(all[0] ^ all[1] ^ all[2] ^ all[3] ^ all[4] ^ all[5] ^ all[6] ^ all[7]));
}

void write_all(char* to, int64_t bytes) {
#if defined(__AVX512F__)
  const __m512i v = _mm512_set1_epi64(bytes);
  for (int64_t i = 0; i < bytes / 64; ++i) _mm512_stream_si512(reinterpret_cast<__m512i*>(to) + i, v);
  _mm_sfence();
#elif defined(__AVX__)
  const __m256i v = _mm256_set1_epi64x(bytes);
  for (int64_t i = 0; i < bytes / 32; ++i) _mm256_stream_si256(reinterpret_cast<__m256i*>(to) + i, v);
  _mm_sfence();
#else
  std::memset(to, 1, static_cast<size_t>(bytes));
#endif
}

// Seconds from the moment that all threads are there to the moment that the last is done.
template <class Job>
double timed(int threads, Job job) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t)
    team.emplace_back([&, t] {
      ++ready;
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      job(t);
    });
  while (ready.load() < threads) std::this_thread::yield();
  const auto began = std::chrono::steady_clock::now();
  go.store(true, std::memory_order_release);
  for (std::thread& t : team) t.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && !std::strcmp(argv[1], "isa")) {
    std::printf("%s\n%s\n", kInt8, kF32);
    return 0;
  }
  if (argc != 5) return std::fprintf(stderr, "probe read|write|int8|f32 BYTES THREADS SWEEPS\n"), 2;
  const char* what = argv[1];
  const int64_t bytes = std::atoll(argv[2]);
  const int threads = std::atoi(argv[3]), sweeps = std::atoi(argv[4]);
  if (threads < 1 || sweeps < 1 || bytes < 0) return std::fprintf(stderr, "a count is not positive\n"), 2;

  const bool memory = !std::strcmp(what, "read") || !std::strcmp(what, "write");
  const int64_t part = bytes / threads / 4096 * 4096;
  char* buffer = nullptr;
  if (memory) {
    if (part == 0) return std::fprintf(stderr, "a page for each thread at least\n"), 2;
    buffer =
        static_cast<char*>(std::aligned_alloc(1 << 21, (static_cast<size_t>(bytes) >> 21 << 21) + (1 << 21)));
    if (!buffer) return std::fprintf(stderr, "no memory for %lld bytes\n", static_cast<long long>(bytes)), 1;
    timed(threads,
          [&](int t) { std::memset(buffer + t * part, t + 1, static_cast<size_t>(part)); });  // first touch
  }
  for (int s = -1; s < sweeps; ++s) {  // the first is a warm-up
    double amount = static_cast<double>(part) * threads, seconds = 0;
    if (!std::strcmp(what, "read")) {
      seconds = timed(threads, [&](int t) { read_all(buffer + t * part, part); });
    } else if (!std::strcmp(what, "write")) {
      seconds = timed(threads, [&](int t) { write_all(buffer + t * part, part); });
    } else if (!std::strcmp(what, "f32")) {
      seconds = timed(threads, [](int) {
        arithmetic(floats_of(1.0f), floats_of(1e-9f),
                   [](Floats c, Floats x, Floats y) { return fma(c, x, y); });
      });
      amount = 2.0 * kSteps * kAccumulators * (sizeof(Floats) / 4) * threads;
    } else {
#if defined(__AVX2__)
      seconds = timed(threads, [](int) {
        arithmetic(bytes_of(1), bytes_of(1), [](Bytes c, Bytes x, Bytes y) { return dot(c, x, y); });
      });
      amount = 2.0 * kSteps * kAccumulators * sizeof(Bytes) * threads;
#else
      return 0;  // no line: not measured
#endif
    }
    if (s >= 0) std::printf("%.3f\n", amount / seconds / 1e9);
  }
  std::free(buffer);
  return 0;
}
