"""How many cores this process may use."""

from __future__ import annotations

import math
import os

from pyqmix.base.control_groups import cores_in_groups

AUTO = "auto"  # in place of a number of threads: as many as are measured to be of use


def usable_cores() -> int:
    """Count the cores that affinity and control groups leave to this process; a part of a core counts as one."""
    of_groups = (math.ceil(cores) for cores in cores_in_groups())
    return min([len(os.sched_getaffinity(0)), *of_groups])
