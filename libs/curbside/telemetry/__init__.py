"""JSON logs, Prometheus metrics, OpenTelemetry traces. None of them ever carries patient text."""
