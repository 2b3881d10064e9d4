#!/usr/bin/env bash
# Native environments and rollouts under the sanitizers; then with faults planted, which the same checks must
# catch. With clang's libFuzzer, task names and option values too.
#   tests/cpp/run_rollout_stress.sh [WORLDS] [FUZZ_RUNS]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/cpp/sources.sh
worlds=${1:-60} runs=${2:-50000}

stress() {  # sanitizers, folder of the sources
  # shellcheck disable=SC2046
  g++ -std=gnu++20 -O1 -g "-fsanitize=$1" -fno-sanitize-recover=all -pthread -DPYQMIX_SIMD_NAMESPACE=baseline \
    -I "$2" $(sources "$2" base envs episode play replay) tests/cpp/rollout_stress.cpp -o "$work/stress"
  TSAN_OPTIONS=halt_on_error=1 "$work/stress" "$worlds" >"$work/log" 2>&1
}

planted() {  # sanitizers, files, a sed expression
  plant "$3" "$2" "$3"
  if stress "$1" "$work/planted"; then echo "not caught by $1: $3"; exit 1; fi
  echo "caught by $1: $3"
}

for sanitizer in thread address,undefined; do
  stress "$sanitizer" csrc || { cat "$work/log"; echo "failed under $sanitizer"; exit 1; }
  echo "$sanitizer: $(tail -n 1 "$work/log")"
done
planted thread replay/slot_machine.h 's/publish = std::memory_order_release/publish = std::memory_order_relaxed/'
planted thread play/world_worker.h 's/    PolicyScratch scratch_;/    static inline PolicyScratch scratch_;/'
planted address,undefined envs/lbf/world.cpp 's/(rules_.rows + 2) \* width_/(rules_.rows + 1) * width_/'
planted address,undefined envs/smax/overlap_cpu.cpp 's/std::array<float, Units::kMost> x_\[2\], y_\[2\];/std::array<float, 2> x_[2], y_[2];/'
planted address,undefined envs/lbf/world.cpp 's/std::int64_t{players_\[i\].level} \* food.level/players_[i].level * food.level/'

clang=$(command -v clang++-19 || command -v clang++ || true)
if [ -z "$clang" ]; then
  echo "no clang++ here: task names and options were not fuzzed"
  exit 0
fi
fuzz() {  # folder of the sources, runs
  mkdir -p "$work/corpus" && printf '\0Foraging-grid-2s-8x8-2p-3f-coop-ind-pen-v3' >"$work/corpus/task"
  # shellcheck disable=SC2046
  "$clang" -std=gnu++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -pthread \
    -DPYQMIX_SIMD_NAMESPACE=baseline -I "$1" $(sources "$1" base envs episode) tests/cpp/fuzz_lbf.cpp -o "$work/fuzz"
  "$work/fuzz" -runs="$2" -seed=1 -max_len=400 -artifact_prefix="$work/" "$work/corpus" >"$work/log" 2>&1
}
fuzz csrc "$runs" || { tail -n 40 "$work/log"; echo "the fuzzer found a fault"; exit 1; }
echo "fuzzed: $(tail -n 1 "$work/log")"
plant "a number that overflows" envs/lbf/rules.cpp 's/if (digits == 9) return false;//'
if fuzz "$work/planted" "$runs"; then echo "not caught by the fuzzer: a number that overflows"; exit 1; fi
echo "caught by the fuzzer: a number that overflows"
