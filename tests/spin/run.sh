#!/usr/bin/env bash
# The Spin model of the ring, every interleaving of it; then with each fault planted, which must be caught.
#   tests/spin/run.sh [soak]      soak: 3 writers, 1 sampler and 3 slots too
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v spin >/dev/null; then
  echo "no Spin here (apt-get install spin): the ring's protocol was not model-checked"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp ring.pml "$work"
cd "$work"

check() {  # -D options
  spin -a "$@" ring.pml >/dev/null
  gcc -O2 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM="${SPIN_MEMORY:-4096}" -o pan pan.c
  ./pan -m10000000 >log 2>&1
  grep -q "errors: 0" log && ! grep -qE "not completed|max search depth too small|out of memory|memory limit|truncated" log
}
holds() {
  check "$@" || { cat log; echo "the model fails: $*"; exit 1; }
  echo "Spin: $*: $(grep -oE "errors: 0" log), $(grep -oE "[0-9.e+]+ states, stored" log)"
}
caught() {
  if check "$@"; then echo "not caught: $*"; exit 1; fi
  grep -q "assertion violated" log || { cat log; echo "failed otherwise: $*"; exit 1; }
  echo "  caught: ${!#}: $(grep -oE "assertion violated .*" log | head -n 1)"
}
holds -DWRITERS=2 -DSAMPLERS=1 -DSLOTS=2
for fault in IGNORE_PINS LIVE_IS_DEAD REISSUE_UNSWEPT; do
  caught -DWRITERS=2 -DSAMPLERS=1 -DSLOTS=2 "-D$fault"
done
if [ "${1:-}" = soak ]; then
  holds -DWRITERS=3 -DSAMPLERS=1 -DSLOTS=3 -DEPISODES=1 -DCRASHES=2
fi
