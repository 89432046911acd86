"""What crosses a wall between services: events, topics, tasks, and the codec of PHI."""
