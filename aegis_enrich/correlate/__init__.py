"""Alerts to incidents: what ties them together, in what order, how likely and how bad it is, and what its story is."""

from .correlator import Correlator
from .load import Correlation, load_correlation
from .read import incident_documents

__all__ = ["Correlation", "Correlator", "incident_documents", "load_correlation"]
