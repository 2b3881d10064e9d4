#!/usr/bin/env bash
# The release as a user gets it: a source distribution, and a wheel for the CPU that is built from it without a
# network, without a warning, audited, and trained with; then with faults planted, which the same checks must catch.
#   tests/release/wheel.sh    in an environment with the dev tools
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
offline=(unshare -rn)
"${offline[@]}" true 2>/dev/null || { offline=(); echo "no namespaces here: pip alone is kept from the network"; }

source_distribution() {  # a tree: packed, and unpacked into $work/sdist
  rm -rf "$work/sdist" && mkdir "$work/sdist"
  python -m build -q --sdist --no-isolation "$1" -o "$work/packed" >"$work/log" 2>&1 &&
    tar xzf "$work"/packed/*.tar.gz -C "$work/sdist" --strip-components 1 && rm -r "$work/packed"
}
wheel() {  # built from $work/sdist into $work/wheel
  rm -rf "$work/wheel"
  "${offline[@]}" pip wheel -q --no-index --no-build-isolation --no-deps "$work/sdist" -w "$work/wheel" \
    -C cmake.define.PYQMIX_WERROR=ON -C cmake.define.PYQMIX_CUDA=OFF >"$work/log" 2>&1
}
audit() {
  python tests/release/contents.py "$work"/wheel/*.whl >"$work/log" 2>&1 &&
    check-wheel-contents "$work"/wheel/*.whl >>"$work/log" 2>&1 &&
    auditwheel repair "$work"/wheel/*.whl -w "$work/repaired" >>"$work/log" 2>&1
}
failed() { cat "$work/log"; echo "failed: $1"; exit 1; }

check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
for architecture in x86_64 aarch64; do
  wheels=$(cibuildwheel --print-build-identifiers --platform linux --archs "$architecture" | tr '\n' ' ')
  wanted=$(printf "cp3%s-manylinux_$architecture " 10 11 12 13 14)
  [ "$wheels" = "$wanted" ] || { echo "expected the wheels $wanted, got $wheels"; exit 1; }
done

mkdir "$work/tree"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$work/tree"
source_distribution "$work/tree" || failed "the source distribution"
wheel || failed "a wheel from it, without a network"
audit || failed "the audit of the wheel"
for file in "$work"/repaired/*; do echo "$(basename "$file"): $(($(stat -c %s "$file") / 1024)) KiB"; done
pip install -q --no-deps --target "$work/site" "$work"/repaired/*.whl
(cd "$work" && PYTHONPATH="$work/site" PYTHONWARNINGS=ignore python -m pyqmix.cli.train --env lbf \
  --task Foraging-5x5-2p-1f-v3 --total-steps 20000 --run-dir "$work/run" >"$work/log" 2>&1) || failed "a run"
grep -q "$work/site" <(cd "$work" && PYTHONPATH="$work/site" python -c "import pyqmix; print(pyqmix.__file__)") ||
  failed "another installation was tried"
python - "$work/run/summary.json" <<'RUN' || failed "a run that learns"
import json, sys
value = json.load(open(sys.argv[1]))["eval_return_mean"]
print(f"a run with it ends at a greedy return of {value:.2f}")
sys.exit(value < 0.5)  # at random 0.2
RUN

planted() {  # the fault, a word of its message, a command that must fail
  if "${@:3}"; then echo "not caught: $1"; exit 1; fi
  grep -q "$2" "$work/log" || failed "otherwise: $1"
  echo "caught: $1"
}
sed -i 's/^sdist.exclude.*/sdist.exclude = ["csrc\/base\/simd.cpp"]/' "$work/tree/pyproject.toml"
cmp -s pyproject.toml "$work/tree/pyproject.toml" && { echo "not planted"; exit 1; }
source_distribution "$work/tree" || failed "the source distribution"
planted "a source that is not packed" base/simd.cpp wheel
rm -rf "$work/wheel" && cp -r "$work/repaired" "$work/wheel"
audit || failed "the audit of the repaired wheel"
python -c "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'a').writestr('conftest.py', '')" "$work"/wheel/*.whl
planted "a file that does not belong to the package" "does not belong there: conftest.py" audit
