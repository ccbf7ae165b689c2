#!/usr/bin/env bash
# make demo: from a fresh Debian machine to a model with its side panel off. The second run takes seconds.
. "$(dirname "$0")/env.sh"
need_tools
make_venv
install_package
exec $PY scripts/demo.py "$@"
