"""Captures: an installed sensor reads them and writes the logs that are then analyzed."""

from .feed import Fed, Progress
from .folders import CAPTURES, Folder, Folders
from .magic import is_capture, problem
from .run import run
from .sensors import Sensor, choose, installed

__all__ = [
    "CAPTURES",
    "Fed",
    "Folder",
    "Folders",
    "Progress",
    "Sensor",
    "choose",
    "installed",
    "is_capture",
    "problem",
    "run",
]
