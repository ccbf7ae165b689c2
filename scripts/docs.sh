#!/usr/bin/env bash
# make docs: writes the pages of docs/ that are generated from the code.
. "$(dirname "$0")/env.sh"
need_tools
make_venv
install_package
exec $PY scripts/docs.py "$@"
