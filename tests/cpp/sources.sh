# Sourced by the scripts that compile parts of csrc themselves, from the repository's root. They have a folder
# $work for what they make.

sources() {  # folder like csrc, folders below it: the C++ files in those
  (cd "$1" && find "${@:2}" -name '*.cpp' -printf "$1/%p\n")
}
ring_sources() { sources "$1" base episode replay; }
snapshot_sources() { printf "$1/envs/smax/%s.cpp\n" range sight_cpu snapshot view; }  # what reads those of SMAX

# Copies csrc to $work/planted and changes the copy; a change that does nothing ends the script.
plant() {  # description, files below csrc, a sed expression
  rm -rf "$work/planted" && cp -r csrc "$work/planted"
  # shellcheck disable=SC2086
  (cd "$work/planted" && sed -i "$3" $2)
  if diff -rq csrc "$work/planted" >/dev/null; then echo "not planted: $1"; exit 1; fi
}
