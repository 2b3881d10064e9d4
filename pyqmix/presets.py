"""Named sets of options, where users import them from; :mod:`pyqmix.config.presets` holds them."""

from pyqmix.config.presets import DEFAULT_PRESETS, PRESETS, from_preset

__all__ = ["DEFAULT_PRESETS", "PRESETS", "from_preset"]
