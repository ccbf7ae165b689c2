#!/usr/bin/env bash
# make test: GoogleTest over the engine, pytest over the installed package. Arguments go to pytest.
. "$(dirname "$0")/env.sh"
need_tools
make_venv
install_package test
status=0

if ! echo '#include <gtest/gtest.h>' | g++ -E -x c++ - >/dev/null 2>&1; then
  say "GoogleTest is missing, so the C++ tests are left out: apt-get install libgtest-dev"
else
  scripts/cpp_tests.sh release || status=1
fi
if [ -z "${CUTAWAY_TEST_MODELS:-}" ]; then
  $PY scripts/fetch_models.py || say "The tests that need a real model are skipped where it could not be fetched."
fi
$PY scripts/fetch_texts.py || say "The tests that compare tokenizers on many languages need them."
# A process for each core; each begins at another part of the list and takes what is left of others' at the end.
$PY -m pytest --numprocesses "$(nproc)" --dist worksteal "$@" || status=1
exit $status
