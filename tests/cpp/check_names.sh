#!/usr/bin/env bash
# One name has one definition. Two different ones are undefined behaviour that neither the compiler nor the linker
# reports where no file includes both. So this checks that
#   1. a file that includes every header compiles: no header contradicts another;
#   2. link-time optimisation finds no type with two definitions and no function with two types;
#   3. inline functions and variables have the same size in every object file.
# Then faults are planted, each of which the check of its number must catch. Of the bindings, which need pybind11,
# the headers are checked.
#   tests/cpp/check_names.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. tests/cpp/sources.sh
flags=(-std=gnu++20 -pthread -fPIC -DPYQMIX_SIMD_NAMESPACE=baseline)
emulated=(-DPYQMIX_WITH_CUDA -DPYQMIX_CUDA_EMULATION -I tests/cuda/emulation)
native=(base gemm episode ops learn replay envs play)
read -ra bound <<<"$(python3 -m pybind11 --includes)"

headers_agree() {  # folder of the sources, folders below it
  (cd "$1" && find "${@:2}" \( -name '*.h' -o -name '*.cuh' \) -printf '#include "%p"\n') |
    g++ "${flags[@]}" "${emulated[@]}" "${bound[@]}" -fsyntax-only -fmax-errors=3 -I "$1" -x c++ - 2>"$work/1"
}
types_agree() {  # folder of the sources, folders below it
  rm -rf "$work/objects" && mkdir "$work/objects"
  {
    sources "$@" | xargs -P "$(nproc)" -I{} bash -c '"${@:3}" "$1" -o "$2/$(basename "$1").o"' \
      compile {} "$work/objects" g++ "${flags[@]}" -flto -ffat-lto-objects -I "$1" -c &&
      g++ -shared "${flags[@]}" -flto -Werror=odr -Werror=lto-type-mismatch "$work"/objects/*.o -o "$work/linked"
  } 2>"$work/2"
}
sizes_agree() {
  readelf --symbols --wide "$work"/objects/*.o | awk '
    $5 !~ /WEAK|UNIQUE/ || $7 == "UND" || $8 !~ /pyqmix/ { next }
    $8 in size && size[$8] != $3 { print "two sizes: " $8; different = 1 }
    { size[$8] = $3 }
    END { exit different }' | c++filt >"$work/3"
}
check() {  # folder of the sources, folders below it; sets `found` to the number of the check that fails
  found=1 && headers_agree "$@" && found=2 && types_agree "$@" && found=3 && sizes_agree && found=
}
planted() {  # number of the check that must catch it, description, files, a sed expression, folders to check
  plant "${@:2:3}"
  if check "$work/planted" "${@:5}"; then echo "not caught: $2"; exit 1; fi
  [ "$found" = "$1" ] || { cat "$work/$found"; echo "failed otherwise: $2"; exit 1; }
  echo "  caught: $2"
}

found=1
headers_agree csrc "${native[@]}" bindings && check csrc "${native[@]}" || { cat "$work/$found"; echo "a name has two definitions"; exit 1; }
echo "names: $(wc -l < <(sources csrc "${native[@]}")) files agree"
planted 1 "a constant with two values" 'play/*' 's/kPolicyTileRows/kQMixerTileRows/' "${native[@]}"
planted 1 "an alias named as a class" 'play/*' 's/\bPolicyScratch\b/Scratch/' "${native[@]}"
plant "a binding's alias named as an enumeration" 'bindings/tensors.h' 's/CudaStream/Stream/'
if headers_agree "$work/planted" "${native[@]}" bindings; then echo "not caught: an alias of the bindings"; exit 1; fi
echo "  caught: a binding's alias named as an enumeration"
# The two names of files differ in length by one, so that the two definitions differ.
planted 2 "two types of one name" 'base/parallel.cpp base/workspace.cpp' '$a namespace pyqmix { \
  struct Planted { char name[sizeof __FILE__]; }; \
  [[gnu::used]] static char use(Planted* p) { return p->name[0]; } }' base
planted 3 "two inline functions of one name" 'base/parallel.cpp base/workspace.cpp' '$a namespace pyqmix { \
  inline int planted(int x) { if constexpr (sizeof __FILE__ % 2) x *= x + 3; return x; } \
  [[gnu::used]] static int use(int x) { return planted(x); } }' base
