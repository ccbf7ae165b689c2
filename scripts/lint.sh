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
say "lint: clang-format"
while IFS= read -r file; do
  clang-format "$file" | cmp --silent - "$file" || { say "$file is not as clang-format -i writes it"; status=1; }
done < <(find csrc kernels tests -name '*.cpp' -o -name '*.h' -o -name '*.inl' | LC_ALL=C sort)
mapfile -t shell < <(find scripts -name '*.sh'; echo .ci/run)
for file in "${shell[@]}"; do bash -n "$file" || status=1; done
check scripts/check_stubs.sh
check $PY scripts/docs.py --check
exit $status
