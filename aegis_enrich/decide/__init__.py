"""Rules decide: what findings and rows mean, and what becomes of the alerts that they open."""

from .decider import Decider, alert_documents
from .load import load_rules
from .row_rules import RowHit, evaluate_rows
from .rules import DetectorRule, RowRule, RuleSet

__all__ = ["Decider", "DetectorRule", "RowHit", "RowRule", "RuleSet", "alert_documents", "evaluate_rows", "load_rules"]
