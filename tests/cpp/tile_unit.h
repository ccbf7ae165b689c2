// The tile unit of AMX in plain C++, for machines without one. Each thread has its own. What would be a fault
// on a processor (an unconfigured tile, shapes that do not fit, a reserved byte that is not zero) is a
// std::logic_error. Nothing here is inline: it is also called from files compiled with other flags.
#pragma once
#include <stdint.h>

namespace cutaway::testing::tiles {

void load_config(const void* memory /*[64]*/);
void release();
void zero(int tile);
void load(int tile, const void* base, int64_t stride);
void store(int tile, void* base, int64_t stride);
// c [M, N] += a [M, 4 K] . b [K, N, 4], bytes with or without a sign, as each is said to be.
void multiply(int c, int a, int b, bool a_signed, bool b_signed);

bool configured();   // no release() since the last load_config()
int64_t products();  // multiply-adds since the thread began

}  // namespace cutaway::testing::tiles
