// Everything that is written once: an instruction set defines its primitives, then includes this file.
// clang-format off: the order matters
#include "generic/vector_math.inl"
#include "generic/rows.inl"
#include "generic/rope.inl"
#include "generic/attention.inl"
#include "generic/pack.inl"
#include "quant_files.inl"   // made by CMake from quants.def: one include per weight type
#include "generic/linear.inl"
#include "generic/peak.inl"
#include "generic/table.inl"
