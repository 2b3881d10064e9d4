#!/usr/bin/env bash
# SIGKILL of processes that write and sample a shared ring; then the same with reclaiming, pin clearing, and the
# proof of death switched off, which must fail.
#   tests/cpp/run_kill.sh [KILLS]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/cpp/sources.sh
kills=${1:-500}

build() {  # folder of the sources
  # shellcheck disable=SC2046
  g++ -std=gnu++20 -O2 -pthread -DPYQMIX_SIMD_NAMESPACE=baseline -I "$1" $(ring_sources "$1") \
    tests/cpp/ring_kill.cpp -o "$work/kill"
}
planted() {  # description, file, a sed expression
  plant "$@"
  build "$work/planted"
  if "$work/kill" 300 >"$work/log" 2>&1; then echo "not caught: $1"; exit 1; fi
  echo "  caught: $1: $(tail -n 1 "$work/log")"
}
build csrc
"$work/kill" "$kills" || { echo "killed processes harm the ring"; exit 1; }
planted "dead writers keep their slots" replay/slot_control.h 's/machine(slot).revoke(id)/false \&\& machine(slot).revoke(id)/'
planted "dead samplers keep their pins" replay/slot_control.h 's/machine(slot).clear_pin(id);/(void)slot;/'
planted "the living are treated as dead" replay/registry.cpp 's/!unlocked(byte) ||/false ||/; s/^        !take(byte))/        false)/; s/    give_back(byte);/    if (false) give_back(byte);/'
