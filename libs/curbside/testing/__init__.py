"""What tests and the demo make instead of real data: a platform in a directory, reports, tiny models."""
