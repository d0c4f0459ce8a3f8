"""What is wrong with an installation, and what to do: each part by itself, so that one fault hides no other."""

from .check import Check, Level
from .installation import enrichers, indexed, sensors
from .logs import logs
from .rules import rules, taken_up
from .state import disk, state

__all__ = ["Check", "Level", "disk", "enrichers", "indexed", "logs", "rules", "sensors", "state", "taken_up"]
