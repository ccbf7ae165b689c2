#!/usr/bin/env bash
# Compares python/cutaway/_core.pyi with the stub that pybind11-stubgen makes of the installed module.
# With --write the file is written instead.
. "$(dirname "$0")/env.sh"
make_venv
kept=python/cutaway/_core.pyi
rm -rf build/stubs
# From another folder, so that the installed package is read and not the sources.
(cd .venv && bin/python -m pybind11_stubgen cutaway._core --output-dir ../build/stubs \
  --numpy-array-use-type-var --ignore-invalid-expressions '.*' >../build/stubs.log 2>&1) || { cat build/stubs.log >&2; exit 1; }
made=build/stubs/cutaway/_core.pyi
ruff check --quiet --fix "$made" >/dev/null || true
ruff format --quiet "$made"
if [ "${1:-}" = --write ]; then
  cp "$made" "$kept"
elif [ ! -f "$kept" ]; then
  say "There is no $kept: scripts/check_stubs.sh --write makes it."
  exit 1
elif ! diff -u "$kept" "$made"; then
  say "$kept is not what the module is: scripts/check_stubs.sh --write"
  exit 1
fi
