"""From the outbox and the lake to sinks: at least once, with ids and revisions that make it exactly once."""

from .delivery import Delivery, Undelivered

__all__ = ["Delivery", "Undelivered"]
