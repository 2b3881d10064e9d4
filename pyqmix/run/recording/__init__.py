"""Greedy episodes as moving pictures: GIF, MP4, or a window."""

from pyqmix.run.recording.frames import Frame
from pyqmix.run.recording.gif import GifFile, save_gif
from pyqmix.run.recording.record import EPISODES, Recording, record_run
from pyqmix.run.recording.screen import Screen
from pyqmix.run.recording.sink import Sink
from pyqmix.run.recording.video import VideoFile

__all__ = ["EPISODES", "Frame", "GifFile", "Recording", "Screen", "Sink", "VideoFile", "record_run", "save_gif"]
