"""Kibana's saved objects (data views, searches, dashboards): described in Python, checked, written or imported."""

from __future__ import annotations

from aegis_enrich.errors import SinkError
from aegis_enrich.registry import load


def made() -> str:
    """The file of all saved objects, always the same; raises SinkError where it would not do."""
    from .checks import check_file
    from .objects import ndjson, saved_objects
    from .views import fields

    known = fields(load())
    text = ndjson(saved_objects(known))
    if problems := check_file(text, known):
        raise SinkError("; ".join(problems[:5]), where="saved objects")
    return text
