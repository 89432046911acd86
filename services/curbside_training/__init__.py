"""Training: fine-tunes with Ray Train, evaluates, gates, registers."""
