"""What a run found against what is true of its logs: found, missed, false alerts, time to detection."""

from .hosts import Hosts
from .labels import labelled_acts
from .measure import Result, measure, totals
from .truth import PLACE, Act, Truth, load_truth, places

__all__ = [
    "PLACE",
    "Act",
    "Hosts",
    "Result",
    "Truth",
    "labelled_acts",
    "load_truth",
    "measure",
    "places",
    "totals",
]
