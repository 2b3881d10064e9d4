#!/usr/bin/env bash
# Everything that only a machine with an NVIDIA GPU can tell, offline: builds, runs the GPU tests,
# compute-sanitizer on small cases, and the GPU benchmark; prints one short table last, and writes it to
# benchmarks/results/gpu_check.md and .json.
#
#   benchmarks/gpu_check.sh WHEELS [STAGE...]
#
# WHEELS is a folder of wheels for what python3 there lacks; python3 (3.11 or later) must have torch, and nvcc must
# be found. Stages, all by default: build tests memcheck racecheck initcheck synccheck benchmark. What is built
# stays in build/gpu_check, so that stages may be run one after another where the time of a command is limited.
#
# A python3 that has torch, numpy, rich, tensorboard, matplotlib, pillow, safetensors, pytest, pytest-timeout,
# scikit-build-core, pybind11, cmake and ninja needs these, fetched where there is a network:
#   pip download --no-deps --only-binary=:all: --python-version 3.12 -d WHEELS \
#     gymnasium farama-notifications tyro docstring-parser typeguard
set -uo pipefail
cd "$(dirname "$0")/.."

stop() { echo "gpu_check: $*" >&2; exit 1; }
[[ $(nvidia-smi -L 2>/dev/null) == *GPU* ]] || stop "no NVIDIA GPU was found: nothing was checked"
[ $# -ge 1 ] || stop "expected a folder of wheels as first argument"
[ -d "$1" ] || stop "expected a folder of wheels, got $1"
command -v nvcc >/dev/null || stop "no nvcc was found: nothing was checked"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop "expected Python 3.11 or later as python3"
python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null || stop "python3 has no torch that finds the GPU"

wheels=$(realpath "$1")
shift
all=(build tests memcheck racecheck initcheck synccheck benchmark)
stages=("$@")
[ $# -gt 0 ] || stages=("${all[@]}")
for stage in "${stages[@]}"; do
  [[ " ${all[*]} " == *" $stage "* ]] || stop "expected stages of ${all[*]}, got $stage"
done

work=$PWD/build/gpu_check
site=$work/site
mkdir -p "$work/stages" "$site"
export PYTHONPATH=$site PYTHONDONTWRITEBYTECODE=1 TORCHINDUCTOR_CACHE_DIR=$work/inductor
small=tests/cuda/small_cases.py

sanitize() {  # tool; its errors, and those of the program, end it with 9
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 compute-sanitizer --tool "$1" --error-exitcode 9 python3 -P "$small" || return
}

must_fail() {  # tool, fault: what the tool must see
  if PYTORCH_NO_CUDA_MEMORY_CACHING=1 compute-sanitizer --tool "$1" --error-exitcode 9 python3 -P "$small" "$2" \
    >"$work/stages/$1.planted" 2>&1; then
    echo "$1 did not see the planted fault: $2"
    return 1
  fi
  grep -q 'ERROR SUMMARY: [1-9]' "$work/stages/$1.planted" || {
    cat "$work/stages/$1.planted"
    echo "$1 failed on the planted fault $2 without an error of its own"
    return 1
  }
  echo "$1 sees the planted fault: $2"
}

run_build() {
  if compgen -G "$wheels/*.whl" >/dev/null; then
    python3 -m pip install -q --no-index --no-deps --upgrade --target "$site" "$wheels"/*.whl || return
  fi
  python3 -m pip install -q --no-index --no-deps --no-build-isolation --upgrade --target "$site" . \
    -C build-dir="$work/cmake" -C cmake.define.PYQMIX_CUDA=ON || return
  python3 -P -c 'import pyqmix; print(pyqmix.build_info())'
}

run_tests() {
  python3 -P -m pytest -q -rs -p no:cacheprovider tests/cuda/test_cuda.py | tee "$work/tests.log" || return
  ! grep -q ' skipped' "$work/tests.log" || { echo "tests were skipped"; return 1; }
}

run_memcheck() { sanitize memcheck && must_fail memcheck out-of-bounds; }
run_racecheck() { sanitize racecheck; }
run_initcheck() { sanitize initcheck && must_fail initcheck uninitialised; }
run_synccheck() { sanitize synccheck; }
run_benchmark() { python3 benchmarks cuda_update cuda_acting cuda; }

take() {  # stage
  local began=$SECONDS status
  "run_$1" >"$work/stages/$1.log" 2>&1
  status=$?
  printf '%s\t%s\t%s\n' "$1" "$status" "$((SECONDS - began))" >"$work/stages/$1.tsv"
  printf '\n== %s: %s s\n' "$1" "$((SECONDS - began))"
  tail -n 40 "$work/stages/$1.log"
  return "$status"
}

# The checks run beside one another; the benchmark has the machine to itself.
failed=0 checks=()
wanted() { [[ " ${stages[*]} " == *" $1 "* ]]; }
if wanted build; then take build || failed=1; fi
for stage in tests memcheck racecheck initcheck synccheck; do
  if wanted "$stage"; then take "$stage" & checks+=($!); fi
done
for check in "${checks[@]}"; do wait "$check" || failed=1; done
if wanted benchmark; then take benchmark || failed=1; fi

printf '\n== results (%s s)\n' "$SECONDS"
python3 benchmarks/gpu/gpu_report.py "$work/stages" || failed=1
exit "$failed"
