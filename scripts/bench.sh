#!/usr/bin/env bash
# make bench: cutaway beside other engines on this machine, and what int8 mode costs. The peers are built on the first
# run, for some minutes. `make bench QUICK=1`: three minutes, nothing stored. `make bench ROW=decode`: that row alone.
# Arguments go to `python -m bench`.
. "$(dirname "$0")/env.sh"
need_tools
make_venv
install_package
peers=.venv/bench-peers
if ! cmp --silent tests/bench/requirements.txt "$peers"; then
  say "Installing the peers into .venv; llama.cpp is compiled for this machine"
  CMAKE_ARGS="-DGGML_NATIVE=ON" CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" \
    $PY -m pip install --quiet --no-binary llama-cpp-python --requirement tests/bench/requirements.txt
  cp tests/bench/requirements.txt "$peers"
fi
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export PYTHONPATH="$PWD/tests"
read -ra rows <<<"${ROW:-}"
if [ -n "${QUICK:-}" ]; then exec $PY -m bench --quick "${rows[@]}" "$@"; fi
$PY -m bench "${rows[@]}" "$@"
if [ "${#rows[@]}$#" = 00 ]; then
  $PY -m bench.kl_study
fi
$PY scripts/docs.py
