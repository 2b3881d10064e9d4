#!/usr/bin/env bash
# libFuzzer on saved rings, under AddressSanitizer and UndefinedBehaviorSanitizer; then with checks left out, which
# it must notice.
#   tests/cpp/run_fuzz_ring.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=${1:-1000000}
if ! clang=$(command -v clang++-19); then
  echo "no clang++-19 here (apt-get install clang-19 libclang-rt-19-dev): saved rings were not fuzzed"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/cpp/sources.sh

# Saved rings to begin with: of one agent, two actions, observations of two numbers, and episodes of two steps; and of
# snapshots of one unit against another.
mkdir "$work/corpus"
cat >"$work/seed.cpp" <<'SEED'
#include <cstdlib>
#include "envs/smax/snapshot.h"
#include "replay/member.h"
#include "replay/ring_file.h"
using namespace pyqmix;
int main(int count, char** arguments) {
    EpisodeSpec spec{1, 2, 2, 0, 2, Storage::int8, Storage::int8};
    if (count > 3) spec = {1, 6, 23, 24, 2, Storage::float32, Storage::float32, Snapshot::smax};
    const auto ring = std::make_shared<EpisodeRing>(spec, 3);
    const Member writer(ring, Role::writer), sampler(ring, Role::sampler);
    for (int k = 0; k < std::atoi(arguments[2]); ++k) {
        const std::int64_t slot = ring->claim(writer.id());
        ring->finish(slot, 2);
        ring->control().publish(slot, writer.id());
    }
    write_ring_file(*ring, sampler.id(), arguments[1], 0, ring->control().tickets());
}
SEED
common=(-std=gnu++20 -g -pthread -DPYQMIX_SIMD_NAMESPACE=baseline)
# shellcheck disable=SC2046
g++ "${common[@]}" -I csrc $(ring_sources csrc) $(snapshot_sources csrc) "$work/seed.cpp" -o "$work/seed"
for episodes in 0 1 2 5; do  # five: more than a lap
  "$work/seed" "$work/ring" "$episodes"
  { printf '\1'; cat "$work/ring"; } >"$work/corpus/$episodes"
  "$work/seed" "$work/ring" "$episodes" snapshots
  { printf '\1'; cat "$work/ring"; } >"$work/corpus/snapshots_$episodes"
done
# The last one again, of a ring with two slots: fewer than it has tickets.
cp "$work/corpus/5" "$work/corpus/narrow"
printf '\2' | dd of="$work/corpus/narrow" bs=1 seek=49 conv=notrunc status=none

build() {  # folder of the sources
  # shellcheck disable=SC2046
  "$clang" "${common[@]}" -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I "$1" \
    $(ring_sources "$1") $(snapshot_sources "$1") tests/cpp/fuzz_ring_file.cpp -o "$work/fuzz"
}
fuzz() {  # runs
  rm -rf "$work/grown" && cp -r "$work/corpus" "$work/grown"
  "$work/fuzz" -runs="$1" -seed=1 -max_len=800 -artifact_prefix="$work/" "$work/grown" >"$work/log" 2>&1
}
planted() {  # description, file, a sed expression
  plant "$@"
  build "$work/planted"  # what does not compile is not caught
  if fuzz 300000; then echo "not caught: $1"; exit 1; fi
  echo "  caught: $1"
}
build csrc
fuzz "$runs" || { tail -n 40 "$work/log"; echo "the fuzzer found a fault"; exit 1; }
echo "fuzzed: $(tail -n 1 "$work/log")"
planted "an episode's actions are not checked" replay/episode_ring.cpp 's/    if (highest >= s.n_actions)/    if (false)/'
planted "a snapshot is not checked" replay/episode_ring.cpp 's/snapshot_codec(s.snapshot).check(s, snapshot_at(slot, 0), points)/(void)0/'
planted "snapshots may be of other observations" episode/episode_layout.h 's/if (code != 0 \&\& code != spec.n_actions)/if (false)/'
planted "a file may have more tickets than slots" replay/ring_file.cpp 's/head.end - head.first > static_cast.*/false)/'
planted "sizes overflow unnoticed" episode/episode_layout.h 's/if (__builtin_mul_overflow(a, b, &out)) throw.*/out = a * b;/'
