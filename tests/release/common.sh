# Sourced by the scripts of this folder that run other CPUs, from the repository's root. $work is a folder for their
# files; their first argument is the Python of an environment.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$(command -v "${1:-python3}") || { echo "no ${1:-python3} here"; exit 1; }
[[ $python == /* ]] || python=$PWD/$python
export PATH="$(dirname "$python"):$PATH"

# An instruction set that a variable names, for libraries that choose one themselves, is another CPU's.
unset PYQMIX_SIMD OPENBLAS_CORETYPE ATEN_CPU_CAPABILITY DNNL_MAX_CPU_ISA ONEDNN_MAX_CPU_ISA MKL_ENABLE_INSTRUCTIONS \
  NPY_DISABLE_CPU_FEATURES NPY_ENABLE_CPU_FEATURES

[ "$(uname -m)" = x86_64 ] || { echo "this is $(uname -m), not x86-64: nothing was run"; exit 0; }
require() {  # command, the apt package that has it
  command -v "$1" >/dev/null || { echo "no $1 here (apt-get install $2): nothing was run"; exit 0; }
}

# A copy of the sources in $work/tree, in which faults are planted.
copy_sources() {
  mkdir -p "$work/tree" && cp -r csrc cmake CMakeLists.txt "$work/tree"
}
configure() {  # build folder, options of CMake...
  cmake -G Ninja -S "$work/tree" -B "$1" -DPYQMIX_CUDA=OFF -DPYQMIX_WERROR=ON -DPython_EXECUTABLE="$python" \
    -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" "${@:2}" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}
build() {  # build folder, targets...
  cmake --build "$1" ${2:+--target "${@:2}"} >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
}
plant() {  # description, file, a sed expression; a change that does nothing ends the script
  cp "$2" "$work/tree/$2" && sed -i "$3" "$work/tree/$2"
  if cmp -s "$2" "$work/tree/$2"; then echo "not planted: $1"; exit 1; fi
}
restore() { cp "$1" "$work/tree/$1"; }  # file

# Trains for a moment; all but the result goes to $work/log.
train() {  # run folder, the command that starts Python...
  rm -rf "$1"
  (cd "$work" && "${@:2}" -c 'from pyqmix.cli.start import train; train()' --env lbf \
    --task Foraging-5x5-2p-1f-v3 --total-steps 2000 --eval-episodes 20 --threads 1 --device cpu --run-dir "$1") \
    >"$work/log" 2>&1 || { status=$?; tail -n 20 "$work/log"; echo "training ended with $status"; return 1; }
}

# Plays native episodes and writes their checksums to a file.
play() {  # file, the command that starts Python...
  (cd "$work" && "${@:2}" "$OLDPWD/tests/release/episodes.py" >"$1" 2>"$work/log") || { cat "$work/log"; exit 1; }
}
