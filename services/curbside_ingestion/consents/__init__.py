"""What patients permit and deny: taken in, recorded, announced and shown."""
