# Sourced by the other scripts: the tools that Debian gives, and .venv with everything that the index gives.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1
PY=.venv/bin/python

say() { printf '%s\n' "$*" >&2; }

# Names each missing tool with the line that installs it; all of them before it gives up.
need_tools() {
  local missing=0
  need() { say "$1 is missing: apt-get install $2"; missing=1; }
  if ! command -v python3 >/dev/null; then
    need "python3" "python3 python3-venv python3-dev"
  elif ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    say "python3 is $(python3 -V 2>&1), and cutaway needs 3.10 or later."
    missing=1
  else
    python3 -c 'import ensurepip, venv' 2>/dev/null || need "python3-venv (the module ensurepip)" "python3-venv"
    python3 -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' ||
      need "python3-dev (Python.h)" "python3-dev"
  fi
  command -v g++ >/dev/null || need "g++" "g++"
  command -v make >/dev/null || need "make" "make"
  [ "$missing" = 0 ] || exit 1
}

# .venv with pip and the build tools. An environment whose Python has gone is made anew.
make_venv() {
  if ! $PY -c 'import pip' 2>/dev/null; then
    say "Making .venv"
    rm -rf .venv
    python3 -m venv .venv
  fi
  export PATH="$PWD/.venv/bin:$PATH"
}

# One hash over everything that goes into the wheel, and the Python that it is for.
sources_hash() {
  {
    $PY -VV
    find CMakeLists.txt pyproject.toml README.md LICENSE csrc kernels python -type f \
      ! -name '*.so' ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -d' ' -f1
}

# pip install, whose warnings nobody needs unless it fails: then the one cause is shown.
pip_install() {
  local log=.venv/pip.log cause
  if $PY -m pip install --quiet "$@" >"$log" 2>&1; then return; fi
  if grep -q 'Retrying (' "$log"; then
    say "The package index does not answer, and what cutaway is built with has to be fetched once. Check the network, and"
    say "the proxy and index that pip is set up with (python3 -m pip config list); then run the same command again."
  else
    cause=$(grep -m 1 -E '(^|[[:space:]])(fatal )?error: ' "$log" || tail -n 1 "$log")
    say "pip install failed: ${cause#"${cause%%[![:space:]]*}"}"
  fi
  if [ -n "${CI:-}" ]; then cat "$log" >&2; else say "All that pip said is in $log."; fi
  exit 1
}

# install_package [extra]: builds the wheel and installs it into .venv, unless what is installed matches the sources.
install_package() {
  local extra="${1:-}" stamp=.venv/cutaway-installed now
  now=$(sources_hash)
  if [ -f "$stamp" ] && [ "$(head -n 1 "$stamp")" = "$now" ] && grep -qx "extra:$extra" "$stamp"; then return; fi
  say "Building cutaway and installing it into .venv (some minutes the first time)"
  # The build tools live in .venv, not in a fresh environment per build, so that a second build is incremental.
  $PY - <<'PYTHON' >.venv/build-requires
import re
text = open("pyproject.toml", encoding="utf-8").read()
print("\n".join(re.findall(r'"([^"]+)"', re.search(r"requires = \[(.*?)\]", text, re.S).group(1))))
PYTHON
  pip_install --requirement .venv/build-requires
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" \
    pip_install --no-build-isolation ".${extra:+[$extra]}"
  if [ ! -f "$stamp" ] || [ "$(head -n 1 "$stamp")" != "$now" ]; then printf '%s\nextra:\n' "$now" >"$stamp"; fi
  [ -z "$extra" ] || printf 'extra:%s\n' "$extra" >>"$stamp"
  [ "$extra" != dev ] || printf 'extra:test\n' >>"$stamp"  # dev includes test
}
