"""Evaluates detectors over sealed windows of event time."""
