"""How services run: one alone in a pod, or all on one machine under a supervisor."""
