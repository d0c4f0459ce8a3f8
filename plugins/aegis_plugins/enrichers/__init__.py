"""Enrichers: tables of facts that add columns to rows."""
