"""Experiment trackers that get a run's numbers besides its own files: W&B, MLflow, trackio, and those of users."""

from pyqmix.loggers.protocol import LoggedRun, Logger, Status
from pyqmix.loggers.registry import LOGGERS, register_logger

__all__ = ["LOGGERS", "LoggedRun", "Logger", "Status", "register_logger"]
