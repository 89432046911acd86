"""How far clients have come that post until everything is acknowledged, for whoever kills meanwhile."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Progress:
    """How many reports are acknowledged, and what was answered on the way. `stop` asks the clients to end."""

    answers: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    failure: BaseException | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)  # its holder may call these
    stop: threading.Event = field(default_factory=threading.Event)

    def note(self, *answers: str, acknowledged: int = 0) -> None:
        with self.changed:
            self.answers.update(answers)
            self.acknowledged += acknowledged
            self.changed.notify_all()

    def fail(self, error: BaseException) -> None:
        with self.changed:
            self.failure = self.failure or error
            self.changed.notify_all()

    def reached(self, count: int, seconds: float) -> bool:
        """Whether `count` reports are acknowledged within `seconds`. Raises what a client died of."""
        with self.changed:
            reached = self.changed.wait_for(
                lambda: self.failure is not None or self.acknowledged >= count, seconds
            )
        if self.failure is not None:
            raise self.failure
        return reached
