"""Kafka: the bus of many machines."""

from curbside.bus.kafka.bus import KafkaBus
from curbside.bus.kafka.client import BusRefused, check_security, check_settings

__all__ = ["BusRefused", "KafkaBus", "check_security", "check_settings"]
