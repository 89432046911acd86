"""Requests that nobody would send, sent to a real server, and what every answer must be."""
