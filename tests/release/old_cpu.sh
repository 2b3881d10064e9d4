#!/usr/bin/env bash
# pyqmix on x86-64 CPUs without newer instructions. The SIMD level is chosen at run time, and an instruction
# that the CPU lacks ends the process only on that CPU. So this checks that
#   1. the installed package trains at each level that this CPU has, and plays the same episodes at each;
#   2. under qemu it chooses the level of the CPU itself, and trains: Nehalem has no AVX, Haswell has AVX2;
#   3. no code of the C++ core outside the levels has an AVX instruction, and the levels share no code with others and
#      run none at import;
#   4. the C++ core alone chooses the level of each CPU, and plays on plain x86-64, where numpy does not start.
# Then faults are planted, each of which the check of its number must catch.
#   tests/release/old_cpu.sh [PYTHON]    an interpreter whose environment has the dev tools and pyqmix; else python3
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/release/common.sh
require qemu-x86_64 qemu-user

on() { qemu-x86_64 -cpu "$@"; }  # CPU, command...
level_of_package() { (cd "$work" && "$@" -c 'import pyqmix; print(pyqmix.build_info()["simd"])' >"$work/log" 2>&1); }
same_episodes() {  # name, the command that starts Python...
  play "$work/episodes.$1" "${@:2}"
  cmp "$work/episodes.baseline" "$work/episodes.$1"
}

for level in baseline avx2 avx512; do
  if ! PYQMIX_SIMD=$level level_of_package "$python"; then
    grep -q "does not support $level" "$work/log" || { cat "$work/log"; exit 1; }
    echo "not run at $level, which this CPU lacks"
    continue
  fi
  PYQMIX_SIMD=$level train "$work/native.$level" "$python"
  PYQMIX_SIMD=$level same_episodes "$level" "$python"
  "$python" tests/release/outcome.py "$work/native.$level" "$level" "$work/native.baseline"
done

for cpu in Nehalem:baseline Haswell:avx2; do
  level=${cpu#*:} cpu=${cpu%:*}
  train "$work/$cpu" on "$cpu" "$python"
  same_episodes "$cpu" on "$cpu" "$python"
  "$python" tests/release/outcome.py "$work/$cpu" "$level" "$work/native.baseline"
done
if PYQMIX_SIMD=avx2 level_of_package on Nehalem "$python"; then echo "AVX2 is not refused on Nehalem"; exit 1; fi
grep -q "PYQMIX_SIMD: this CPU or build does not support avx2" "$work/log" || { cat "$work/log"; exit 1; }

levels_are_apart() {
  local object level avx shared start
  while read -r object; do
    level=$(sed -nE 's/.*pyqmix_(avx2|avx512)\.dir.*/\1/p' <<<"$object")
    if [ -z "$level" ]; then
      avx=$(objdump -d --no-show-raw-insn "$object" | grep -P '^ +[0-9a-f]+:\tv' || true)
      [ -z "$avx" ] || { echo "AVX: $object: $(sed -n 1p <<<"$avx")"; return 1; }
      continue
    fi
    shared=$(nm -C --extern-only --defined-only "$object" | grep -P '^\S+ [TWi] ' | grep -v "pyqmix::$level::" || true)
    [ -z "$shared" ] || { echo "shared: $object: $(sed -n 1p <<<"$shared")"; return 1; }
    start=$(readelf -SW "$object" | grep '\.init_array' || true)
    [ -z "$start" ] || { echo "run at import: $object"; return 1; }
  done < <(find "$work/build/CMakeFiles" -name '*.o')
}
compile() {
  build "$work/build" pyqmix_core
  g++ -std=gnu++20 -O2 -pthread -I "$work/tree/csrc" tests/cpp/rollout_stress.cpp "$work/build/libpyqmix_core.a" \
    -o "$work/stress"
  g++ -std=gnu++20 -I "$work/tree/csrc" -x c++ - -x none "$work/build/libpyqmix_core.a" -o "$work/level" <<'LEVEL'
#include <cstdio>
#include "base/simd.h"
int main() { std::puts(pyqmix::to_string(pyqmix::simd_level()).c_str()); }
LEVEL
}
plays_on_plain_x86_64() { for cpu in qemu64 core2duo; do on "$cpu" "$work/stress" "${1:-4}" || return 1; done; }

copy_sources
configure "$work/build"
compile
levels_are_apart || exit 1
echo "levels: $(find "$work/build/CMakeFiles" -name '*.o' | wc -l) object files, AVX only in its levels"
for cpu in qemu64:baseline core2duo:baseline Nehalem:baseline SandyBridge:baseline Opteron_G5:baseline Haswell:avx2 EPYC:avx2; do
  level=$(on "${cpu%:*}" "$work/level" 2>"$work/log")
  [ "$level" = "${cpu#*:}" ] || { echo "expected $cpu, got $level"; exit 1; }
done
plays_on_plain_x86_64 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
echo "qemu64, core2duo: $(tail -n 1 "$work/log")"

planted() {  # number of the check that must catch it, description, file, a sed expression
  plant "${@:2}"
  compile
  if [ "$1" = 3 ] && levels_are_apart >"$work/log"; then echo "not caught: $2"; exit 1; fi
  if [ "$1" = 4 ]; then
    if plays_on_plain_x86_64 1 >"$work/log" 2>&1; then echo "not caught: $2"; exit 1; fi
    grep -q "Illegal instruction" "$work/log" || { cat "$work/log"; echo "failed otherwise: $2"; exit 1; }
  fi
  echo "  caught: $2: $(head -n 1 "$work/log" | sed "s|$work/build/CMakeFiles/||")"
  restore "$3"
}
planted 4 "every CPU is said to have AVX2" csrc/base/simd.cpp 's/return __builtin_cpu_supports("avx2").*/return true;/'
planted 3 "levels share a function" csrc/envs/smax/own_code.h 's/\[\[gnu::always_inline\]\]/[[gnu::noinline]]/'
planted 3 "a level runs code at import" csrc/envs/smax/sight_cpu.cpp '$a static const float planted = pyqmix::kMapSize * float(rand());'
baseline='s/pyqmix_add_simd_level(baseline)/pyqmix_add_simd_level(baseline -mavx2)/'
planted 3 "baseline is compiled for AVX2" CMakeLists.txt "$baseline"
planted 4 "baseline is compiled for AVX2" CMakeLists.txt "$baseline"
