"""One thread that generates: requests join a running batch and leave it when they are done.

Requests of one adapter decode together; batches of several adapters take turns, one token each.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from curbside.errors import CurbsideError
from curbside.models.decoding import Rows, merge, prefill
from curbside_inference.engine.models import BaseLost, Models
from curbside_inference.engine.sampling import Choice, Sampling, choose, generator

log = logging.getLogger(__name__)


class FinishReason(StrEnum):
    LENGTH = "length"
    EOS = "eos_token"
    STOP = "stop_sequence"


@dataclass(frozen=True, slots=True)
class Ask:
    """A validated request: what to continue, how, and until when. `version` None is the base."""

    tokens: tuple[int, ...]
    max_new_tokens: int
    sampling: Sampling
    stop: tuple[str, ...] = ()
    version: str | None = None
    prompt_logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    id: int
    text: str
    logprob: float | None
    special: bool
    top: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """How a request ended; durations in seconds."""

    text: str
    reason: FinishReason
    tokens: int
    queued: float
    inference: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The last event of a request that could not be answered. `reason` carries no patient text."""

    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """One more token; the last one comes with its ending."""

    token: Token
    end: Finished | None


Event = Step | Failed


@dataclass(slots=True, eq=False)
class Ticket:
    """One request under way. `emit` is called from the generation thread."""

    ask: Ask
    emit: Callable[[Event], None]
    submitted: float = field(default_factory=time.monotonic)
    started: float = 0.0
    cancelled: bool = False
    random: Any = None
    generated: list[int] = field(default_factory=list)
    output: str = ""
    shown: int = 0  # tokens of prompt and answer whose text has been emitted
    prompt: list[Token] = field(default_factory=list)  # with logprobs, where they were asked for

    def cancel(self) -> None:
        """Leave the batch before its next token."""
        self.cancelled = True


@dataclass(slots=True)
class _Batch:
    rows: Rows = field(default_factory=Rows)
    tickets: list[Ticket] = field(default_factory=list)


class Overloaded(Exception):
    """As many requests as allowed are waiting or running."""


class Generator:
    """Owns the model. `submit` may be called from any thread once `start` has been."""

    def __init__(self, models: Models, *, max_concurrent: int, max_batch: int, threads: int | None) -> None:
        self.models = models
        self._max_concurrent, self._max_batch, self._threads = max_concurrent, max_batch, threads
        self._waiting: deque[Ticket] = deque()
        self._batches: OrderedDict[str | None, _Batch] = OrderedDict()
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="generation", daemon=True)
        self.ready = threading.Event()
        self.loaded = False
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; requests under way fail."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=30)

    @property
    def healthy(self) -> bool:
        """Whether a request would be answered: the model is loaded, and the thread lives."""
        return self.ready.is_set() and self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Requests that wait and whose askers do, too."""
        with self._wake:
            return sum(not ticket.cancelled for ticket in self._waiting)

    @property
    def running(self) -> int:
        return sum(len(batch.tickets) for batch in list(self._batches.values()))

    @property
    def running_tokens(self) -> int:
        """The most tokens that the running requests may come to."""
        running = [ticket for batch in list(self._batches.values()) for ticket in list(batch.tickets)]
        return sum(len(ticket.ask.tokens) + ticket.ask.max_new_tokens for ticket in running)

    def submit(self, ask: Ask, emit: Callable[[Event], None]) -> Ticket:
        """Queue a request. Raises Overloaded."""
        ticket = Ticket(ask, emit, shown=len(ask.tokens))
        with self._wake:
            self._waiting = deque(ticket for ticket in self._waiting if not ticket.cancelled)
            if self._stopping or len(self._waiting) + self.running >= self._max_concurrent:
                raise Overloaded
            self._waiting.append(ticket)
            self._wake.notify()
        return ticket

    def _run(self) -> None:
        try:
            self.models.load(self._threads)
            self.loaded = True
            self.ready.set()
            self._generate()
        except Exception as error:
            self.failure = error
        self._end()

    def _generate(self) -> None:
        import torch

        with torch.inference_mode():
            while self._await_work():
                self._admit()
                for version in list(self._batches):
                    self._step(version)

    def _end(self) -> None:
        """Nobody waits for ever: what is under way fails, and nothing more is taken."""
        self.ready.clear()
        with self._wake:
            self._stopping = True
            left = [*self._waiting, *(ticket for batch in self._batches.values() for ticket in batch.tickets)]
            self._waiting.clear()
            self._batches.clear()
        for ticket in left:
            _tell(ticket, "the engine is stopping")
        if self.failure is not None:
            # Its message may quote a tensor of token ids.
            log.error("the generation thread ended: %s", type(self.failure).__name__)
            self.on_failure()

    def _await_work(self) -> bool:
        with self._wake:
            while not (self._stopping or self._waiting or self._batches):
                self._wake.wait()
            return not self._stopping

    def _admit(self) -> None:
        """Let one waiting request in.

        One and no more: a prefill takes seconds, and the answers that are being written wait for it.
        """
        ticket = self._next()
        if ticket is None:
            return
        ticket.started = time.monotonic()
        version = ticket.ask.version
        try:
            model = self.models.use(version)
            rows, logits = prefill(model, ticket.ask.tokens, all_logits=ticket.ask.prompt_logprobs)
            ticket.random = generator(ticket.ask.sampling, model.device)
            if ticket.ask.prompt_logprobs:
                ticket.prompt = self._prompt_tokens(ticket.ask.tokens, logits)
        except Exception as error:
            _fail(ticket, error)
            if isinstance(error, BaseLost):
                raise
            return
        if not self._took(ticket, logits[-1]):
            return
        batch = self._batches.setdefault(version, _Batch())
        batch.tickets.append(ticket)
        try:
            merge(batch.rows, rows)
        except Exception as error:
            # Some layers have the new row and some do not, so none of the batch can go on.
            self._give_up(version, error)

    def _next(self) -> Ticket | None:
        """The first in the queue whose asker still waits, where there is room for it."""
        with self._wake:
            while self._waiting and self.running < self._max_batch:
                ticket = self._waiting.popleft()
                if not ticket.cancelled:
                    return ticket
        return None

    def _step(self, version: str | None) -> None:
        batch = self._batches[version]
        try:
            _keep(batch, [not ticket.cancelled for ticket in batch.tickets])
            if batch.tickets:
                model = self.models.use(version)
                logits = batch.rows.step(model, [ticket.generated[-1] for ticket in batch.tickets])
                taken = [self._took(ticket, row) for ticket, row in zip(batch.tickets, logits, strict=True)]
                _keep(batch, taken)
        except Exception as error:
            self._give_up(version, error)
            if isinstance(error, BaseLost):
                raise
        else:
            if not batch.tickets:
                del self._batches[version]

    def _give_up(self, version: str | None, error: Exception) -> None:
        for ticket in self._batches.pop(version).tickets:
            _fail(ticket, error)

    def _took(self, ticket: Ticket, logits: Any) -> bool:
        """Whether `ticket` goes on after its next token. One that fails leaves the others alone."""
        try:
            return self._take(ticket, logits)
        except Exception as error:
            _fail(ticket, error)
            return False

    def _take(self, ticket: Ticket, logits: Any) -> bool:
        """Choose and emit the next token; False where it was the last."""
        ask = ticket.ask
        choice = choose(
            logits, ask.sampling, (*ask.tokens, *ticket.generated), ticket.generated, ticket.random
        )
        ticket.generated.append(choice.token)
        text = self._new_text(ticket)
        ticket.output += text
        reason = self._finish(ticket, choice.token)
        end = None if reason is None else self._ending(ticket, reason)
        ticket.emit(Step(self._token(choice, text), end))
        return end is None

    def _ending(self, ticket: Ticket, reason: FinishReason) -> Finished:
        return Finished(
            text=self.models.tokenizer.decode(ticket.generated, skip_special_tokens=True),
            reason=reason,
            tokens=len(ticket.generated),
            queued=ticket.started - ticket.submitted,
            inference=time.monotonic() - ticket.started,
        )

    def _finish(self, ticket: Ticket, token: int) -> FinishReason | None:
        if len(ticket.generated) >= ticket.ask.max_new_tokens:
            return FinishReason.LENGTH
        if token in self.models.end_tokens:
            return FinishReason.EOS
        if any(ticket.output.endswith(stop) for stop in ticket.ask.stop):
            return FinishReason.STOP
        return None

    def _new_text(self, ticket: Ticket) -> str:
        """The text that the newest token completes; empty while it is half of a character."""
        tokens = [*ticket.ask.tokens, *ticket.generated]
        # Five tokens of context: a tokenizer may write a token differently at the start of a text.
        context = max(0, ticket.shown - 5)
        decode = self.models.tokenizer.decode
        before = decode(tokens[context : ticket.shown], skip_special_tokens=False)
        after: str = decode(tokens[context:], skip_special_tokens=False)
        if len(after) <= len(before) or after.endswith("�"):
            return ""
        ticket.shown = len(tokens)
        return after[len(before) :]

    def _token(self, choice: Choice, text: str) -> Token:
        tokenizer = self.models.tokenizer
        special = set(tokenizer.all_special_ids)
        top = tuple(Token(id, tokenizer.decode([id]), logprob, id in special) for id, logprob in choice.top)
        return Token(choice.token, text, choice.logprob, choice.token in special, top)

    def _prompt_tokens(self, tokens: Sequence[int], logits: Any) -> list[Token]:
        import torch

        logprobs = torch.log_softmax(logits, -1)
        # The first token has no predecessor to be predicted from.
        known = [None, *(float(logprobs[i, token]) for i, token in enumerate(tokens[1:]))]
        special = set(self.models.tokenizer.all_special_ids)
        decode = self.models.tokenizer.decode
        return [
            Token(id, decode([id]), logprob, id in special) for id, logprob in zip(tokens, known, strict=True)
        ]


def _keep(batch: _Batch, going: Sequence[bool]) -> None:
    """Take the rows that are done out of the batch."""
    places = [place for place, goes in enumerate(going) if goes]
    batch.rows.keep(places)
    batch.tickets = [batch.tickets[place] for place in places]


def _fail(ticket: Ticket, error: Exception) -> None:
    # A torch message may quote a tensor of token ids, so only its type is said.
    reason = error.message if isinstance(error, CurbsideError) else type(error).__name__
    log.error("generation failed: %s", reason)
    _tell(ticket, reason)


def _tell(ticket: Ticket, reason: str) -> None:
    # An asker whose event loop has closed cannot be told, and must not take the others down.
    with contextlib.suppress(Exception):
        ticket.emit(Failed(reason))
