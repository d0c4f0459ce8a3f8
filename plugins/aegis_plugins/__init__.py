"""The plugins that come with AegisEnrich: enrichers, derived tables, detectors and sinks."""
