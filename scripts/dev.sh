#!/usr/bin/env bash
# The short loop: an incremental build of the module into python/cutaway, in the environment that runs this.
# Usage: scripts/dev.sh [cmake arguments]        then: PYTHONPATH=python python ...
set -eu
cd "$(dirname "$0")/.."
launcher=""
command -v ccache >/dev/null && launcher="-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"
cmake -S . -B build/dev -G Ninja -DCUTAWAY_PYTHON=ON -DPython_EXECUTABLE="$(command -v python)" $launcher "$@" >/dev/null
cmake --build build/dev
cp --remove-destination build/dev/_core*.so python/cutaway/
