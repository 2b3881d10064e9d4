#!/usr/bin/env bash
# The ring's slot machine under ThreadSanitizer; then with each of its release orders weakened, which the same
# check must catch.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rounds=${1:-100000}

stress() {  # folder of the sources
  g++ -std=c++20 -O1 -g -fsanitize=thread -I "$1" tests/cpp/slot_control_stress.cpp -o "$work/stress"
  TSAN_OPTIONS=halt_on_error=1 "$work/stress" "$rounds" >"$work/log" 2>&1
}

stress csrc || { cat "$work/log"; echo "the slot machine failed its stress test"; exit 1; }
cat "$work/log"
for fault in 's/SlotState::ready, std::memory_order_release/SlotState::ready, std::memory_order_relaxed/' \
             's/SlotState::empty, std::memory_order_release/SlotState::empty, std::memory_order_relaxed/' \
             's/~pin_bit(sampler), std::memory_order_release/~pin_bit(sampler), std::memory_order_relaxed/'; do
  rm -rf "$work/planted" && cp -r csrc "$work/planted"
  sed -i "$fault" "$work/planted/replay/slot_control.h"
  cmp -s csrc/replay/slot_control.h "$work/planted/replay/slot_control.h" && { echo "not planted: $fault"; exit 1; }
  if stress "$work/planted"; then echo "not caught: $fault"; exit 1; fi
  echo "caught: $(cut -d/ -f2 <<<"$fault") weakened"
done
