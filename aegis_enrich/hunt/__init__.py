"""Runs rules over lakes that are there: of one sensor or many, on this machine or on a cluster."""

from .hunt import Hunt, Span, hunting
from .past import Past

__all__ = ["Hunt", "Past", "Span", "hunting"]
