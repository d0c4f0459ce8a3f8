"""Follows the logs of sensors: hands on whole lines with their position, through growth, rotation and restarts."""

from .follower import Follower
from .logfile import Chunk, LogFile, Lost
from .source import KAFKA, Source
from .state import LogState

__all__ = ["KAFKA", "Chunk", "Follower", "LogFile", "LogState", "Lost", "Source"]
