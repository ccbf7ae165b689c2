// Philox4x32-10: a counter-based random number generator (Salmon, Moraes, Dror, Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011). Ten rounds scramble a 128-bit counter under a 64-bit key; there is
// no state to carry, so draw number `step` of seed `seed` is the same on every machine, whatever was drawn
// before.
#pragma once
#include <array>
#include <cstdint>

namespace cutaway {

inline std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0], b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

// u in [0, 1), a multiple of 2^-53. Key = (low, high) half of seed; counter = (low, high) half of step, 0, 0;
// u = the top 53 bits of the 64-bit word with output word 0 as its high half and output word 1 as its low
// half.
inline double uniform53(uint64_t seed, uint64_t step) {
  const auto words = philox4x32({static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32), 0, 0},
                                {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  const uint64_t bits = (uint64_t{words[0]} << 32 | words[1]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

}  // namespace cutaway
