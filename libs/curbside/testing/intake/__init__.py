"""Reports in every shape that ingestion takes, senders that never give up, and a service that is killed.

What was acknowledged is held against what is stored: each once, whole, in its patient's order.
"""
