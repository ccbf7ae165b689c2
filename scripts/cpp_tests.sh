#!/usr/bin/env bash
# scripts/cpp_tests.sh release|asan|tsan: builds the C++ tests with that preset and runs them. Needs GoogleTest.
. "$(dirname "$0")/env.sh"
preset="${1:-release}"
make_venv
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
mkdir -p build
cmake --preset "$preset" -DPython_EXECUTABLE="$PWD/$PY" >"build/$preset.log" 2>&1 || { cat "build/$preset.log" >&2; exit 1; }
cmake --build --preset "$preset" --parallel "$(nproc)"
run=(ctest --preset "$preset" --parallel "$(nproc)")
# Older ThreadSanitizers find no place for their shadow memory where the kernel spreads addresses widely.
if [ "$preset" = tsan ] && setarch "$(uname -m)" -R true 2>/dev/null; then run=(setarch "$(uname -m)" -R "${run[@]}"); fi
"${run[@]}"
