"""What patients permit and deny: heard, kept, and asked for by every build."""
