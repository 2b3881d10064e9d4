#!/usr/bin/env bash
# Faults of a run, each with a planted fault that the same check must catch.
#   tests/faults/run.sh CHECK [ARGUMENTS]      (see the first lines of tests/faults/CHECK.py)
#   tests/faults/run.sh all                    as .ci/run does, some minutes
#   tests/faults/run.sh soak                   the same with larger numbers, some hours
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -std=gnu17 -O1 -Wall -Wextra -Werror -fPIC -shared -o "$work/shim.so" "$here/shim.c" -ldl
python=$(command -v python)

check() {  # name, arguments
  local preload=
  case $1 in calls | power) preload=$work/shim.so ;; esac
  (cd "$work" && LD_PRELOAD=$preload "$python" "$here/$1.py" "${@:2}")
}
case $1 in
  all)
    check kills 20
    check calls 3 1
    check power 60 1
    check full_disk
    check starts 10
    check damage 10000 500
    ;;
  soak)
    check kills 200
    check calls 5 3
    check power 0 3
    check full_disk
    check starts 100
    check damage 100000 0
    ;;
  *) check "$@" ;;
esac
