#!/usr/bin/env bash
# The pool of threads under ThreadSanitizer, on all cores and on one; then with faults planted, which the same
# checks must catch.
#   tests/cpp/run_parallel.sh [CALLS]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/cpp/sources.sh
calls=${1:-5000}
first_core=$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')

stress() {  # folder of the sources
  g++ -std=gnu++20 -O1 -g -fsanitize=thread -pthread -I "$1" "$1/base/parallel.cpp" tests/cpp/parallel_stress.cpp \
    -o "$work/stress"
  for cores in all "$first_core"; do
    on=(env); [ "$cores" = all ] || on=(taskset -c "$cores")
    TSAN_OPTIONS=halt_on_error=1 timeout 60 "${on[@]}" "$work/stress" "$calls" >"$work/log" 2>&1 || return 1
  done
}
planted() {  # a sed expression
  plant "$1" base/parallel.cpp "$1"
  if stress "$work/planted"; then echo "not caught: $1"; exit 1; fi
  echo "caught: $1 ($(grep -m1 -oE 'data race|took no part|not visited once.*' "$work/log" || echo "it hung"))"
}

stress csrc || { tail -n 60 "$work/log"; exit 1; }
echo "thread: $(tail -n 1 "$work/log")"
planted 's/return pending_.load() == 0;/return pending_.load(std::memory_order_relaxed) == 0;/'
planted 's/if (!left_.compare_exchange_weak(left, after)) continue;/left_.store(after);/'
planted 's/if (std::none_of(.*)) return;/return;/'
planted 's/ \&\& caller_sleeps_.load()/ \&\& false/'
