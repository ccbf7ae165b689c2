#!/usr/bin/env bash
# make bench: cutaway beside other engines on this machine, and what int8 mode costs; stores both and writes
# docs/benchmarks.md. QUICK=1: three minutes, nothing stored. ROW=decode, or ROW="decode load": these rows alone.
# The peers are built on the first run, for some minutes. Arguments go to `python -m bench`.
. "$(dirname "$0")/env.sh"
need_tools
make_venv
install_package
stamp=.venv/bench-peers
if ! cmp --silent tests/bench/requirements.txt "$stamp"; then
  say "Installing the peers into .venv; llama.cpp is compiled for this machine"
  CMAKE_ARGS="-DGGML_NATIVE=ON" CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" \
    $PY -m pip install --quiet --no-binary llama-cpp-python --requirement tests/bench/requirements.txt
  cp tests/bench/requirements.txt "$stamp"
fi
$PY scripts/fetch_texts.py || say "The languages that tokenizers are timed on are left out where their texts could not be fetched."
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export PYTHONPATH="$PWD/tests"
arguments=()
if [ -n "${ROW:-}" ]; then read -ra arguments <<<"$ROW"; fi
if [ -n "${QUICK:-}" ]; then arguments+=(--quick); fi
arguments+=("$@")
status=0
$PY -m bench "${arguments[@]}" || status=$?
if [ "${#arguments[@]}" = 0 ]; then $PY -m bench.kl_study || status=$?; fi
if [ -z "${QUICK:-}" ]; then $PY scripts/docs.py; fi
exit $status
