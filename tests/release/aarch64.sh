#!/usr/bin/env bash
# pyqmix on aarch64: cross-compiled, and run under qemu. This checks that
#   1. the C++ tests of the ring, the pool of threads, killed processes and rollouts pass, on an ARMv8.0 CPU and on qemu's
#      newest, which has instructions for atomic updates;
#   2. the extension plays the same native episodes as here, to the same bits;
#   3. it trains, as here up to rounding.
# Then a fault is planted, which 2 must catch. The interpreter and its libraries are Debian's, unpacked into a folder;
# this machine's packages stay as they are. qemu keeps the order of memory accesses that x86-64 has: whether the ring is
# right on a CPU that has a weaker one is checked by tests/cpp/run_ring.sh, under a memory model.
#   tests/release/aarch64.sh [PYTHON]    an interpreter whose environment has the dev tools and pyqmix; else python3
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/release/common.sh
require qemu-aarch64 qemu-user
require aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
require apt-get "apt, on Debian"

export QEMU_LD_PREFIX=$work/sysroot  # where qemu looks for a file first
unpack_interpreter() {
  local apt=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User="$(id -un)"
    -o Dir::State="$work/apt" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt")
  mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/sysroot" && touch "$work/apt/status"
  { apt-get "${apt[@]}" -qq update && apt-get "${apt[@]}" -qq -y --no-install-recommends --download-only install \
    python3 libpython3-dev libstdc++6; } >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
  for package in "$work"/apt/archives/*.deb; do dpkg -x "$package" "$work/sysroot"; done
}
# The CPU is the first Neoverse: torch's builds for aarch64 need ARMv8.1.
there() { PYTHONPATH=$work/site qemu-aarch64 -cpu neoverse-n1 "$work/sysroot/usr/bin/python3" "$@"; }
ask() { there -c "import sys, sysconfig; print($1)"; }  # expression
get_wheels() {
  local version platform platforms=()
  version=$(ask '"%d.%d" % sys.version_info[:2]')
  for platform in manylinux{2014,_2_17,_2_27,_2_28}_aarch64; do platforms+=(--platform "$platform"); done
  "$python" tests/release/wheels_for.py aarch64 >"$work/wheels"
  "$python" -m pip install -q --target "$work/site" --no-deps --only-binary=:all: --implementation cp \
    --python-version "$version" --abi "cp${version/./}" --abi abi3 --abi none "${platforms[@]}" -r "$work/wheels" \
    >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}
configure_extension() {
  cat >"$work/aarch64.cmake" <<'TOOLCHAIN'
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
TOOLCHAIN
  configure "$work/build" -DCMAKE_TOOLCHAIN_FILE="$work/aarch64.cmake" -DCMAKE_CXX_FLAGS="-idirafter $work/sysroot/usr/include" \
    -DPython_INCLUDE_DIR="$(ask 'sysconfig.get_path("include")')" -DPYTHON_IS_DEBUG=OFF \
    -DPYTHON_MODULE_EXTENSION="$(ask 'sysconfig.get_config_var("EXT_SUFFIX")')"
}
build_extension() {
  build "$work/build"
  cmake --install "$work/build" --prefix "$work/site" >"$work/log"
}

unpack_interpreter
get_wheels
copy_sources
configure_extension
build_extension
cp -r pyqmix "$work/site"
echo "built for $(ask 'sysconfig.get_platform()'): Python $(ask 'sys.version.split()[0]'), $(grep torch= "$work/wheels")"

tests=(ring_stress:200000 parallel_stress:300 ring_kill:30 rollout_stress:4)
for test in "${tests[@]}"; do
  aarch64-linux-gnu-g++ -std=gnu++20 -O2 -pthread -I csrc "tests/cpp/${test%:*}.cpp" "$work/build/libpyqmix_core.a" \
    -o "$work/${test%:*}"
  for cpu in cortex-a53 max; do
    timeout 300 qemu-aarch64 -cpu "$cpu" "$work/${test%:*}" "${test#*:}" >"$work/log" 2>&1 ||
      { cat "$work/log"; echo "failed on $cpu: ${test%:*}"; exit 1; }
    echo "$cpu: $(tail -n 1 "$work/log")"
  done
done

play "$work/episodes.here" "$python"
play "$work/episodes.there" there
cmp "$work/episodes.here" "$work/episodes.there"
sed 's/^/the same bits: /' "$work/episodes.there"

PYQMIX_SIMD=baseline train "$work/x86-64" "$python"
train "$work/aarch64" there
"$python" tests/release/outcome.py "$work/x86-64" baseline
"$python" tests/release/outcome.py "$work/aarch64" baseline "$work/x86-64"

# This CPU has fused multiply-adds at every level, so that the compiler uses them wherever it may.
fault="battles round otherwise"
plant "$fault" CMakeLists.txt 's/COMPILE_OPTIONS -ffp-contract=off/COMPILE_OPTIONS -ffp-contract=fast/'
build_extension
play "$work/episodes.planted" there
if cmp -s "$work/episodes.here" "$work/episodes.planted"; then echo "not caught: $fault"; exit 1; fi
echo "  caught: $fault: $(diff "$work/episodes.here" "$work/episodes.planted" | grep -c '^>') of $(wc -l <"$work/episodes.here") checksums"
