"""Databases with outbox and inbox, blobs by zone, and the keys that encrypt them."""
