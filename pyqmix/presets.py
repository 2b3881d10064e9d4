"""Named sets of options, where users import them from; :mod:`pyqmix.config.presets` holds them."""

from pyqmix.config.presets import PRESETS, from_preset

__all__ = ["PRESETS", "from_preset"]
