// kernels/cpu/avxvnni.cpp once more, as a table of its own, with the EVEX form of VPDPBUSD (AVX-512 VL and
// VNNI: the same operation): its bits can be tested where there is AVX-512 and no AVX-VNNI.
#if defined(__x86_64__)
#define avxvnni_table avxvnni_evex_table
#include "cpu/avxvnni.cpp"
#endif
