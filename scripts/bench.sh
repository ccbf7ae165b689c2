#!/usr/bin/env bash
# make bench: prefill and decode speed beside a peer engine, and what int8 mode costs, on this machine. Arguments go to
# speed_floor.py. The peer is built on the first run, for some minutes.
. "$(dirname "$0")/env.sh"
need_tools
make_venv
install_package
$PY -m pip install --quiet --requirement tests/bench/requirements.txt
mkdir -p tests/bench/results
$PY tests/bench/speed_floor.py --output tests/bench/results/speed_floor.json "$@"
$PY tests/bench/kl_int8.py --output tests/bench/results/kl_int8.json
