#!/usr/bin/env bash
# make bench: prefill and decode speed beside a peer engine, on this machine. Arguments go to the script.
. "$(dirname "$0")/env.sh"
need_tools
make_venv
install_package
exec $PY tests/bench/speed_floor.py "$@"
