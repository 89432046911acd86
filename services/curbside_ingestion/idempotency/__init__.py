"""Requests that carry an Idempotency-Key are done once, and answered alike however often they are sent."""
