#!/usr/bin/env bash
# Faults of a run. Each check plants faults too, and fails where it does not catch them.
#   tests/faults/run.sh CHECK [ARGUMENTS]    one of the files CHECK.py here, whose first lines tell its arguments
#   tests/faults/run.sh all                  the checks of .ci/run, in some minutes
#   tests/faults/run.sh soak                 the same with larger numbers, in some hours
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() {  # name, arguments
  (cd "$work" && LD_PRELOAD=$work/shim.so python "$here/$1.py" "${@:2}") || { echo "failed: $*"; failed=1; }
}
failed=0
gcc -std=gnu17 -O1 -Wall -Wextra -Werror -fPIC -shared -o "$work/shim.so" "$here/shim.c" -ldl
case $1 in
  all)
    check kills 20
    check calls 3 1
    check power 60 1
    check full_disk
    check starts 10
    check damage 10000 300
    ;;
  soak)
    check kills 200
    check calls 5 3
    check power 0 3
    check full_disk
    check starts 100
    check damage 100000 0
    check cluster 20
    check long_run 60
    ;;
  *) check "$@" ;;
esac
exit $failed
