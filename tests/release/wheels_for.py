"""Print the packages that pyqmix needs on another machine, at the versions that are installed here.

    python wheels_for.py aarch64

torch is the oldest that pyqmix takes: newer ones for aarch64 need CUDA's libraries.
"""

import re
import sys
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(name: str, machine: str, found: dict[str, str]) -> dict[str, str]:
    distribution = metadata.distribution(name)
    found[canonicalize_name(name)] = distribution.version.partition("+")[0]
    for text in distribution.requires or []:
        required = Requirement(text)
        if required.marker and not required.marker.evaluate({"platform_machine": machine, "extra": ""}):
            continue
        if canonicalize_name(required.name) not in found:
            closure(required.name, machine, found)
    return found


if __name__ == "__main__":
    found = closure("pyqmix-marl", sys.argv[1], {})
    del found["pyqmix-marl"]
    (torch,) = (text for text in metadata.requires("pyqmix-marl") or [] if re.match(r"torch\b", text))
    found["torch"] = min(part.version for part in Requirement(torch).specifier if part.operator == ">=")
    print(*(f"{name}=={version}" for name, version in sorted(found.items())), sep="\n")
