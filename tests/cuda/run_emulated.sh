#!/usr/bin/env bash
# The CUDA kernels' sources, compiled for the CPU, one fiber for each CUDA thread, under the sanitizers and
# beside the CPU's kernels; then with faults planted, which the same check must catch. This runs nothing on a
# GPU: see emulation/cuda_runtime.h for what it can show.
#   tests/cuda/run_emulated.sh [CASES] [SEED]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/cpp/sources.sh
cases=${1:-200} seed=${2:-1}
flags=(-std=gnu++20 -g -pthread -fno-strict-aliasing -Wall -Wextra -Werror -Wno-unknown-pragmas -DPYQMIX_SIMD_NAMESPACE=baseline)
sanitized=(-O1 -fsanitize=address,undefined -fno-sanitize-recover=all)
emulated=(-DPYQMIX_WITH_CUDA -DPYQMIX_CUDA_EMULATION -I tests/cuda/emulation)
kernels=$(cd csrc && find . -name '*.cu' -printf '%P\n')

for file in $(sources csrc base ops/mix ops/td_target); do
  g++ "${flags[@]}" -O1 -I csrc -c "$file" -o "$work/cpu_$(basename "$file" .cpp).o"
done
g++ "${flags[@]}" "${sanitized[@]}" "${emulated[@]}" -I csrc -c tests/cuda/emulated_kernels.cpp -o "$work/driver.o"
g++ "${flags[@]}" "${sanitized[@]}" "${emulated[@]}" -c tests/cuda/emulation/emulation.cpp -o "$work/emulation.o"

compile() {  # folder of the sources, files below it
  local sources=$1 kernel
  shift
  for kernel in "$@"; do
    g++ "${flags[@]}" "${sanitized[@]}" "${emulated[@]}" -I "$sources" -x c++ -c "$sources/$kernel" \
      -o "$work/kernel_$(basename "$kernel" .cu).o"
  done
}

check() {  # cases
  g++ "${sanitized[@]}" -pthread "$work"/*.o -o "$work/run"
  timeout 300 "$work/run" "$seed" "$1" >"$work/log" 2>&1
}

planted() {  # kernel, file, a sed expression
  plant "$3" "$2" "$3"
  compile "$work/planted" "$1"
  if check 30; then echo "not caught: $3"; exit 1; fi
  echo "caught ($(grep -m 1 -o 'FAILED: [^,]*\|emulation: .*\|AddressSanitizer: [a-z-]*\|runtime error: .*' \
    "$work/log" || echo "it stopped")): $3"
  cp "$work"/sound/*.o "$work"
}

# shellcheck disable=SC2086
compile csrc $kernels
check "$cases" || { cat "$work/log"; echo "the kernels differ from the CPU's"; exit 1; }
echo "emulated, not run on a GPU: $(tail -n 1 "$work/log")"
mkdir "$work/sound" && cp "$work"/kernel_*.o "$work/sound"
planted ops/mix/mix_cuda.cu base/cuda/lane_group.cuh 's/apart = lanes_ \/ 2;/apart = lanes_ \/ 4;/'
planted ops/mix/mix_cuda.cu ops/mix/mix_lanes.cuh 's/if (i + a < end) load/load/'
planted ops/mix/mix_cuda.cu base/cuda/packs.cuh 's/x.stride \* std::int64_t(sizeof(T)) % kPackBytes == 0/true/'
planted ops/td_target/td_target_cuda.cu ops/td_target/td_target_cuda.cu 's/^    group.sync();//'
planted ops/td_target/td_target_cuda.cu ops/td_target/td_target_cuda.cu 's/return a.action < b.action ? a : b;/return a;/'
planted ops/linear/bias_relu_cuda.cu ops/linear/bias_relu_cuda.cu 's/output\[j\] <= T(0)/output[j] < T(0)/'
planted ops/linear/bias_relu_cuda.cu ops/linear/bias_relu_cuda.cu 's/if (first + j < args.relu \&\& x/if (args.relu \&\& x/'
planted ops/linear/bias_relu_cuda.cu ops/linear/bias_relu_cuda.cu 's/part < args.parts; part += lanes/part + lanes < args.parts; part += lanes/'
planted ops/linear/bias_relu_cuda.cu ops/linear/bias_relu_cuda.cu 's/apart = of_row; apart < lanes/apart = of_row; apart < of_row/'
planted ops/linear/bias_relu_cuda.cu ops/linear/bias_relu_cuda.cu 's/row += args.parts \* at_once/row += args.rows/'
planted ops/adam/adam_cuda.cu ops/adam/adam_cuda.cu 's/const double beta = part == 0/const double beta = part == 1/'
planted ops/adam/adam_cuda.cu ops/adam/adam_cuda.cu 's/if (i >= args.size) continue;//'
planted ops/episodes/pad_cuda.cu ops/episodes/pad_cuda.cu 's/ + column.reach//'
planted ops/episodes/pad_cuda.cu ops/episodes/pad_cuda.cu 's/(time + column.first)/time/'
