"""Mounted control groups in a temporary folder."""

from pyqmix.base.control_groups import free_in_groups

V2, V1 = "0::/a/b\n", "9:cpuset:/x\n4:cpu,memory:/a/b\n0::/\n"


class Machine:
    """A process's folder and its mounted control groups, in a temporary folder."""

    def __init__(self, folder):
        self.folder, self.mounts = folder, []
        (folder / "proc").mkdir()

    def mount(self, name, kind, options="rw", root="/"):
        path = self.folder / name
        path.mkdir()
        escaped = str(path).replace("\\", "\\134").replace(" ", "\\040")
        self.mounts.append(f"35 31 0:32 {root} {escaped} rw,relatime shared:5 - {kind} {kind} {options}\n")
        return path

    def proc(self, own):
        """The folder of a process that is in these groups."""
        (self.folder / "proc" / "cgroup").write_text(own)
        mounts = "".join(["22 27 0:21 / /proc rw - proc proc rw\n", *self.mounts])
        (self.folder / "proc" / "mountinfo").write_text(mounts)
        return self.folder / "proc"

    def free(self, own):
        found = free_in_groups(self.proc(own))
        return {str(group.relative_to(self.folder)): size for size, group in found}
