#!/usr/bin/env bash
# make lint: every check that needs no model. All run; the status is 1 if any failed.
. "$(dirname "$0")/env.sh"
need_tools
make_venv
install_package dev
status=0
check() {
  say "lint: $*"
  "$@" || status=1
}
check ruff check .
check ruff format --check .
check $PY -m mypy
mapfile -t cpp < <(find csrc kernels tests -name '*.cpp' -o -name '*.h' -o -name '*.inl')
check clang-format --dry-run --Werror "${cpp[@]}"
mapfile -t shell < <(find scripts -name '*.sh'; echo .ci/run)
for file in "${shell[@]}"; do bash -n "$file" || status=1; done
check scripts/check_stubs.sh
check $PY scripts/docs.py --check
exit $status
