"""What a run found against what is true of its logs: found, missed, false alerts, time to detection."""

from .hosts import Hosts
from .labels import labelled_acts
from .measure import Result, measure, totals
from .truth import Act, Truth, load_truth

__all__ = ["Act", "Hosts", "Result", "Truth", "labelled_acts", "load_truth", "measure", "totals"]
