"""What is wrong with an installation, and what to do: each part by itself, so that one fault hides no other."""

from .check import Check, Level
from .installation import delivered, enrichers, sensors
from .listener import listener
from .logs import logs
from .rules import rules, taken_up
from .state import disk, state

__all__ = [
    "Check",
    "Level",
    "delivered",
    "disk",
    "enrichers",
    "listener",
    "logs",
    "rules",
    "sensors",
    "state",
    "taken_up",
]
