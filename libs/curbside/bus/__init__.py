"""One bus protocol, and its halves: the embedded durable log of one machine, and Kafka."""

from curbside.bus.protocol import BatchHandler, Bus, Handler, Record, Subscription

__all__ = ["BatchHandler", "Bus", "Handler", "Record", "Subscription"]
