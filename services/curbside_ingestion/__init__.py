"""Ingestion: takes reports in, keeps the originals encrypted, acknowledges only what is durable."""
