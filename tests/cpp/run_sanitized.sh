#!/usr/bin/env bash
# The extension's operations under AddressSanitizer and UndefinedBehaviorSanitizer, through Python: random
# shapes, strides, masks and extreme values against the reference; then with a fault planted, which must be
# caught.
#   tests/cpp/run_sanitized.sh [EXAMPLES]      in an environment with the test and dev tools, where pyqmix is
#                                              not installed in editable mode
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYQMIX_EXAMPLES=${1:-2000}

install() {  # sanitizer, folder of the sources, which is built apart
  rm -rf "$work/site"
  pip install -q "$2" --no-deps --no-build-isolation --target "$work/site" -C build-dir="$work/build-$1-$(basename "$(realpath "$2")")" \
    -C cmake.define.PYQMIX_SANITIZER="$1" -C cmake.define.PYQMIX_CUDA=OFF
}
check() {  # sanitizer's library, sanitizer
  # Reports go to files of their own: pytest keeps what a process that ends in a test has written.
  export ASAN_OPTIONS="detect_leaks=0:log_path=$work/report" UBSAN_OPTIONS="halt_on_error=1:log_path=$work/report"
  rm -f "$work"/report.*
  (cd "$work" && cp -r "$OLDPWD/tests" "$OLDPWD/benchmarks" "$OLDPWD/pyproject.toml" . &&
    LD_PRELOAD="$(g++ -print-file-name="$1") $(g++ -print-file-name=libstdc++.so)" PYTHONPATH="$work/site" \
    python -c "import pyqmix; assert pyqmix.build_info()['sanitizer'] == '$2', 'another build is imported'" \
      >"$work/log" 2>&1) || return 2
  (cd "$work" &&
    LD_PRELOAD="$(g++ -print-file-name="$1") $(g++ -print-file-name=libstdc++.so)" PYTHONPATH="$work/site" \
    python -m pytest -m '' -q -x -p no:cacheprovider \
      tests/ops/test_{qmixer,qmixer_loss,mlp,gru,td_target,mix,training_step,adam}.py \
      -k "not simd and not compile" >"$work/log" 2>&1)
}
for pair in address:libasan.so undefined:libubsan.so; do
  install "${pair%%:*}" .
  check "${pair##*:}" "${pair%%:*}" || { tail -qn 40 "$work/log" "$work"/report.*; echo "failed under ${pair%%:*}"; exit 1; }
  echo "${pair%%:*}: $(tail -n 1 "$work/log")"
done
mkdir "$work/planted" && cp -r csrc cmake pyqmix CMakeLists.txt pyproject.toml README.md LICENSE "$work/planted"
sed -i 's/        used_ += padded<T>(count);/        used_ += count \/ 2;/' "$work/planted/csrc/ops/qmixer/qmixer.cpp"
cmp -s csrc/ops/qmixer/qmixer.cpp "$work/planted/csrc/ops/qmixer/qmixer.cpp" && { echo "not planted"; exit 1; }
install address "$work/planted"
if check libasan.so address; then echo "not caught: too little memory for the weights"; exit 1; fi
grep -qs "AddressSanitizer: heap-buffer-overflow" "$work"/report.* || { tail -n 40 "$work/log"; echo "failed otherwise"; exit 1; }
echo "caught by address: too little memory for the weights"
