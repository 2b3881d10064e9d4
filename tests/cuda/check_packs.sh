#!/usr/bin/env bash
# The kernels that work on packs must load and store 16 bytes at once. Compiles them to PTX, which needs no GPU;
# then with a fault planted, which the same check must catch.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/cpp/sources.sh

check() {  # folder of the sources
  nvcc -std=c++17 -O3 -I "$1" -DPYQMIX_WITH_CUDA -ptx -arch=compute_80 "$1/ops/mix/mix_cuda.cu" -o "$work/ptx"
  awk '
    /\.entry / { name = $0; wide = name ~ /backward_kernelI(fLi4|dLi2|N.*Li8)/; seen += wide }
    wide && /st\.global\.cg\.(v4\.(u32|b32|f32)|v2\.(f64|u64|b64))/ { stores[name]++ }
    wide && /ld\.global\.(v4\.(u32|b32|f32)|v2\.(f64|u64|b64))/ { loads[name]++ }
    END {
      for (name in stores) good += stores[name] >= 3 && loads[name] >= 3
      print seen + 0 " kernels on packs, " good + 0 " of them load and store 16 bytes at once"
      exit !(seen == 3 && good == 3)
    }' "$work/ptx"
}

check csrc
plant "packs are stored value by value" base/cuda/packs.cuh 's/sizeof pack == kPackBytes/sizeof pack == 3/'
if check "$work/planted"; then echo "not caught: packs are stored value by value"; exit 1; fi
echo "caught: packs are stored value by value"
