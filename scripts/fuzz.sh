#!/usr/bin/env bash
# make fuzz: every tokenizer against its library for an hour or so, 50,000 examples of hypothesis, a million strings of
# bytes and every language among it. Arguments go to pytest.
. "$(dirname "$0")/env.sh"
need_tools
make_venv
install_package test
$PY scripts/fetch_texts.py
export CUTAWAY_TEST_PROFILE=fuzz
exec $PY -m pytest tests/python/test_differential.py tests/python/test_families_trained.py "$@"
