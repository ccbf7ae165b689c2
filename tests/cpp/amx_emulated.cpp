// kernels/cpu/amx.cpp once more, as a table of its own, with the tile unit of tile_unit.h in place of the
// processor's: its bits can be tested where there is AVX-512 and no AMX.
#if defined(__x86_64__)
#include <immintrin.h>

#include "tile_unit.h"

// The intrinsics are macros and functions of <immintrin.h>, which is included by now.
#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbsud
#define _tile_loadconfig(memory) cutaway::testing::tiles::load_config(memory)
#define _tile_release() cutaway::testing::tiles::release()
#define _tile_zero(tile) cutaway::testing::tiles::zero(tile)
#define _tile_loadd(tile, base, stride) cutaway::testing::tiles::load(tile, base, stride)
#define _tile_stored(tile, base, stride) cutaway::testing::tiles::store(tile, base, stride)
#define _tile_dpbsud(c, a, b) cutaway::testing::tiles::multiply(c, a, b, true, false)

#define amx_table amx_emulated_table
#include "cpu/amx.cpp"
#endif
