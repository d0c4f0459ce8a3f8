"""The plugins that come with AegisEnrich: enrichers, derived tables, detectors and sinks."""

from __future__ import annotations

PLUGINS: tuple[type, ...] = ()
