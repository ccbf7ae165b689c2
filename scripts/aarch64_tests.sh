#!/usr/bin/env bash
# scripts/aarch64_tests.sh: cross-compiles the C++ tests for 64-bit ARM and runs, under qemu-user, those that compute:
# the kernels against the scalar ones, and a small model against the bits that it has on x86.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v aarch64-linux-gnu-g++ >/dev/null || missing+=(g++-aarch64-linux-gnu)
command -v qemu-aarch64 >/dev/null || missing+=(qemu-user)
[ -e /usr/src/googletest/CMakeLists.txt ] || missing+=(libgtest-dev)
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}") >/dev/null
  else
    echo "Missing: apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi
scripts/cpp_tests.sh aarch64
# A processor without dot products is not told to use them.
qemu-aarch64 -cpu cortex-a53 -L /usr/aarch64-linux-gnu build/aarch64/cutaway_tests --gtest_brief=1 \
  --gtest_filter='KernelBits.TableNamesItsInstructionSet:*SameBitsOnEveryMachine*'
