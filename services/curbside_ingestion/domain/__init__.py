"""The rules of ingestion: what a report is, how it is read, which states it goes through."""
