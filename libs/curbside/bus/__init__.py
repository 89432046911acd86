"""One bus protocol; the embedded durable log is its half for one machine."""

from curbside.bus.protocol import Bus, Handler, Record, Subscription

__all__ = ["Bus", "Handler", "Record", "Subscription"]
