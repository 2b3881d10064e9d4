#!/usr/bin/env bash
# Compares native SMAX with jaxmarl, which is installed with the extra `smax` in a new environment:
#   tests/differential/run_smax.sh FOLDER [arguments of smax_differential.py]
# The environment sees the installed pyqmix behind its own packages, so that jax's numpy stays out of the other.
# Without jaxmarl, as without a network, it says that nothing was compared, and succeeds.
set -euo pipefail
folder=$1
shift
scripts=$(cd "$(dirname "$0")" && pwd)
read -r packages requirements < <(python - <<'PY'
import sysconfig
from importlib.metadata import requires

wanted = [line.split(";")[0].strip() for line in requires("pyqmix-marl") or () if 'extra == "smax"' in line]
print(sysconfig.get_path("purelib"), *wanted)
PY
)
python -m venv "$folder"
# shellcheck disable=SC2086
if ! "$folder/bin/pip" install -q $requirements; then
  echo "jaxmarl could not be installed ($requirements): native SMAX was not compared with it"
  exit 0
fi
own=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$packages" >"$own/pyqmix.pth"
cd "$folder" # not in the source tree, which would shadow the package
exec bin/python "$scripts/smax_differential.py" "$@"
