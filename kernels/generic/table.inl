// The table of this instruction set (kISA), in the order of the lists.
static constexpr Quant kQuants[] = {
#define QUANT(type) quant_entry<type>(),
#include "quants.def"
#undef QUANT
};

static Table make_table() {
  Table t{};
  t.isa = kISA;
  t.quants = kQuants;
  t.n_quants = sizeof(kQuants) / sizeof(kQuants[0]);
  t.f32_per_ms = kF32PerMs;
  t.int8_per_ms = kInt8PerMs;
  t.many_rows = kManyRowsFaster;
  t.f32_block = kF32Rows * kF32Tiles * kLanes;
  t.int8_block = kInt8Rows * kInt8Tiles * 8 * kLanes;
#define KERNEL(name, ...) t.name = k_##name;
#include "kernels.def"
#undef KERNEL
  return t;
}
