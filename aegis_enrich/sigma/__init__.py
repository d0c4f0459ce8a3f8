"""Sigma rules over the canonical tables: read by pySigma, compiled to DuckDB's SQL, matched many at a time."""
