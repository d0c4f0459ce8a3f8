"""Copies what is committed to a common lake, where the rows of many sensors lie together."""

from .far import Far
from .shipper import Round, Shipper

__all__ = ["Far", "Round", "Shipper"]
