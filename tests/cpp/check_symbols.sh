#!/usr/bin/env bash
# check_symbols.sh kernels-folder object...: each kernel object exports its table function and nothing else, above all
# no weak symbol, which the linker could merge with a baseline copy; and kernels/ includes nothing that could make one.
set -euo pipefail
folder="$1"
shift
status=0
fail() { printf '%s\n' "$*" >&2; status=1; }
NM="${NM:-nm}"  # of the target, where that is another machine
command -v "$NM" >/dev/null || { echo "nm is missing (binutils), so kernel objects are not checked" >&2; exit 77; }

sanitized=0
for object in "$@"; do
  if "$NM" --undefined-only "$object" | grep -qE '__(asan|ubsan|tsan)_'; then sanitized=1; fi
done
[ "$sanitized" = 0 ] || echo "A sanitizer adds symbols of its own: only the includes are checked here" >&2
for object in "$@"; do
  isa=$(basename "$object")
  isa=${isa%%.*}
  [ "$sanitized" = 1 ] && continue
  weak=$("$NM" --demangle --defined-only "$object" | grep -E '^[0-9a-f]* [WwVvu] ' || true)
  [ -z "$weak" ] || fail "$object has weak symbols:"$'\n'"$weak"
  exported=$("$NM" --demangle --defined-only --extern-only "$object" | sed -E 's/^[0-9a-f]* . //')
  [ "$exported" = "cutaway::kernels::${isa}_table()" ] ||
    fail "$object exports"$'\n'"$exported"$'\n'"expected cutaway::kernels::${isa}_table() alone"
done

allowed='<(stdint|stddef|immintrin|arm_neon)\.h>|"(kernels\.h|quant_files\.inl|generic/[a-z_]+\.inl|(quant|cpu)/[a-z0-9_]+\.inl|cpu/avx512\.cpp|(kernels|quants|isas)\.def)"'
foreign=$(grep -rnE '^[[:space:]]*#[[:space:]]*include' "$folder" | grep -vE "#[[:space:]]*include[[:space:]]+($allowed)" || true)
[ -z "$foreign" ] || fail "kernels/ includes more than intrinsics and its own files:"$'\n'"$foreign"
[ "$#" -gt 0 ] || fail "no object was given"
exit $status
