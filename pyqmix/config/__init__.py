"""Every option of a run: declared, checked, and set by name in presets."""

from pyqmix.config.config import Config
from pyqmix.config.presets import PRESETS, from_preset

__all__ = ["PRESETS", "Config", "from_preset"]
