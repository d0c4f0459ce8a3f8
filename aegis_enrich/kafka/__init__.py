"""Logs that come through Kafka. Nothing here imports its client before it is used."""

from .address import Address, is_address, parse, settings
from .member import Member
from .source import KafkaSource

__all__ = ["Address", "KafkaSource", "Member", "is_address", "parse", "settings"]
