"""Trained agent networks for other programs: a torch program or ONNX, and the files of PyMARL and EPyMARL."""

from typing import TYPE_CHECKING

from pyqmix._loading import lazy

if TYPE_CHECKING:
    from pyqmix.export.policy_file import export_policy

__all__ = ["export_policy"]

if not TYPE_CHECKING:  # where any name would count as one of the package's
    __getattr__, __dir__ = lazy(__name__, {"policy_file": ("export_policy",)})
