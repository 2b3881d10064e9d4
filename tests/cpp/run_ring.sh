#!/usr/bin/env bash
# The ring's slot machine: under ThreadSanitizer, at full speed, and under Relacy's memory model; each check
# must also catch faults that are planted in a copy.
#   tests/cpp/run_ring.sh [TSAN_PUBLISHES] [STRESS_PUBLISHES] [SCHEDULES]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/cpp/sources.sh
tsan=${1:-20000000} stress=${2:-200000000} schedules=${3:-1000000}
publish='s/publish = std::memory_order_release/publish = std::memory_order_relaxed/'
abort='s/abort = std::memory_order_release/abort = std::memory_order_relaxed/'
unpin='s/unpin = std::memory_order_release/unpin = std::memory_order_relaxed/'
pins='s/if (seen & kPins) {/if (false) {/'

build() {  # folder of the sources, compiler and options...
  "${@:2}" -std=c++20 -pthread -I "$1" tests/cpp/ring_stress.cpp -o "$work/stress"
}
run() { TSAN_OPTIONS=halt_on_error=1 "$work/stress" "$@" >"$work/log" 2>&1; }
planted() {  # a sed expression, publishes, compiler and options...
  plant "$1" replay/slot_machine.h "$1"
  build "$work/planted" "${@:3}"
  if run "$2"; then echo "not caught: $1"; exit 1; fi
  echo "  caught: $1"
}

if clang=$(command -v clang++-19); then
  sanitized=("$clang" -O1 -g -fsanitize=thread)
  build csrc "${sanitized[@]}"
  run "$tsan" || { tail -n 60 "$work/log"; echo "the ring failed under ThreadSanitizer"; exit 1; }
  echo "ThreadSanitizer: $(cat "$work/log"), 0 reports"
  for fault in "$publish" "$abort" "$unpin"; do planted "$fault" 1000000 "${sanitized[@]}"; done
else
  echo "no clang++-19 here (apt-get install clang-19 libclang-rt-19-dev): ThreadSanitizer did not run"
fi

build csrc g++ -O2
run "$stress" || { cat "$work/log"; echo "the ring failed its stress test"; exit 1; }
echo "native stress: $(cat "$work/log")"
planted "$pins" 20000000 g++ -O2

if [ -e /usr/include/relacy/relacy.hpp ]; then
  g++ -std=c++20 -O2 -w -I csrc tests/cpp/relacy/slot_model.cpp -o "$work/model"
  "$work/model" "$schedules" >"$work/log" || { cat "$work/log"; echo "the memory model finds a fault"; exit 1; }
  grep -E "weakened|schedules" "$work/log" | sed 's/^/Relacy: /'
else
  echo "no Relacy here (apt-get install relacy-dev): the memory model was not checked"
fi
