"""The tagger: what it sees of a token, what it finds by the surroundings, and what is held against it."""

from __future__ import annotations

import json

import pytest

from curbside.phi import Category
from curbside_deidentification.detector import seconded
from curbside_deidentification.domain.features import features, tokens
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.searching import Searched
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.domain.tagging import (
    FAINT,
    SEQUENCE,
    SOURCES_FILE,
    TAGGER_FILES,
    Tagged,
    Tagger,
)
from curbside_deidentification.recognisers.contextual import Contextual

LEXICON = load_policy().lexicon
TAGGER = Tagger()


class Says:
    """A tagger that holds each of `words` for a part of an identifier, as surely as it is told."""

    def __init__(self, category: Category, words: str, probability: float) -> None:
        self._category, self._words, self._probability = category, words.split(), probability

    def read(self, text: str, lexicon: object) -> list[Tagged]:
        return [
            Tagged(token.start(), token.end(), self._category, self._probability)
            for token in tokens(text)
            if token[0] in self._words
        ]


class Both:
    """What either of two taggers says."""

    def __init__(self, *taggers: Says) -> None:
        self._taggers = taggers

    def read(self, text: str, lexicon: object) -> list[Tagged]:
        said = [token for tagger in self._taggers for token in tagger.read(text, lexicon)]
        return sorted(said, key=lambda token: token.start)


def found(text: str, category: Category, words: str, probability: float) -> list[str]:
    says = Says(category, words, probability)
    spans = Contextual(says).find(text, document_lexicon(text, LEXICON))  # type: ignore[arg-type]
    return [text[span.start : span.end] for span in spans]


def seen(text: str, word: str, **seen_as: str) -> list[str]:
    read = tokens(text)
    return features(read, document_lexicon(text, LEXICON), seen_as)[[token[0] for token in read].index(word)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "Wife Oyzhanka called; will bring his walker. Quellbrook will call her back.",
            ["Oyzhanka", "Quellbrook"],
        ),
        ("Signed out to Tvardovska at 1900.\nCosigned by: B. Ulmgren, MD", ["Tvardovska", "Ulmgren"]),
    ],
)
def test_a_name_that_no_list_holds_is_found_by_its_place(text: str, names: list[str]) -> None:
    spans = [
        text[span.start : span.end]
        for span in Contextual(TAGGER).find(text, document_lexicon(text, LEXICON))
        if span.category is Category.NAME
    ]
    assert all(any(name in one for one in spans) for name in names)


def test_a_name_is_no_feature_and_a_word_is() -> None:
    assert not any("quellbrook" in one.casefold() for one in seen("Seen by Quellbrook today", "Quellbrook"))
    assert "w=seen" in seen("Seen by Quellbrook today", "Seen")
    assert "-1=by" in seen("Seen by Quellbrook today", "Quellbrook")
    assert "w=<s>" in seen("by Smith", "Smith")
    assert "w=<>" in seen("by Smith", "Smith", Smith="Quellbrook")


def test_a_name_in_small_letters_is_no_word_either() -> None:
    of_it = seen("told oyzhanka of it", "oyzhanka")
    assert "w=<o>" in of_it
    assert not any("oyzhanka" in one for one in of_it)


@pytest.mark.parametrize(
    ("text", "word", "feature"),
    [
        ("Frank Quellbrook came. Seen by FQ.", "FQ", "x=2True"),
        ("Quellbrook, Frank came. Seen by FQ.", "FQ", "x=2True"),
        ("Frank Quellbrook came. Seen by FZQ.", "FZQ", "x=3True"),
        ("Frank Quellbrook came. Seen by fq.", "fq", "x=2True"),
        ("Seen by FQ.", "FQ", "x=2False"),
        ("Mean quell factor (MQF) is low.", "MQF", "x=explained"),
        ("Hand told that the hand is well.", "Hand", "x=XxsTrue"),
        ("Hand told that all is well.", "Hand", "x=XxsFalse"),
    ],
)
def test_a_token_is_seen_with_what_its_document_says_elsewhere(text: str, word: str, feature: str) -> None:
    assert feature in seen(text, word)


def test_what_is_unlikely_in_a_text_is_likelier_in_one_full_of_identifiers() -> None:
    names = "Quellbrook Tvardovska Ulmgren"
    sure, faint = Says(Category.NAME, names, 0.99), Says(Category.NAME, "Oyzhanka", 0.2)
    contextual = Contextual(Both(sure, faint))  # type: ignore[arg-type]

    def names_in(text: str) -> list[str]:
        spans = contextual.find(text, document_lexicon(text, LEXICON))
        return [text[span.start : span.end] for span in spans]

    text = "Seen by Quellbrook, then by Tvardovska, then by Ulmgren, last by Oyzhanka."
    assert names_in(text) == [*names.split(), "Oyzhanka"]
    assert names_in("Seen by Oyzhanka.") == []
    assert names_in(text + " The lungs are clear." * 100) == names.split()


def test_a_token_is_seen_with_the_label_of_its_line() -> None:
    text = "Attending: Quellbrook\nFindings clear"
    assert "l=attending" in seen(text, "Quellbrook")
    assert "l=" in seen(text, "Findings")


def test_a_long_text_is_read_to_its_end() -> None:
    text = "The lungs are clear. " * SEQUENCE + "Signed out to Tvardovska at 1900."
    [*_, last] = (token for token in TAGGER.read(text, LEXICON) if token.probability > 0.5)
    assert text[last.start : last.end] in {"Tvardovska", "1900"}


def test_a_searched_text_is_read_once() -> None:
    text = Searched("Signed out to Tvardovska at 1900.")
    first = TAGGER.read(text, LEXICON)
    assert TAGGER.read(text, LEXICON) is first
    assert first == TAGGER.read(str(text), LEXICON)
    assert all(token.probability >= FAINT for token in first)


@pytest.mark.parametrize(
    ("text", "category", "words", "probability", "kept"),
    [
        ("told Hand today", Category.NAME, "Hand", 0.6, ["Hand"]),
        ("the hand hurts", Category.NAME, "hand", 0.99, []),
        ("with Crohn's disease", Category.NAME, "Crohn", 0.99, []),
        ("800 mg p.r.n. for pain", Category.NAME, "p . r n", 0.99, []),
        ("per Quellbrook", Category.NAME, "Quellbrook", 0.3, []),
        ("per Quellbrook", Category.NAME, "Quellbrook", 0.65, ["Quellbrook"]),
        ("told sly again", Category.NAME, "sly", 0.6, []),
        ("WBC high", Category.NAME, "WBC", 0.7, []),
        ("Anna Quellbrook left", Category.NAME, "Anna Quellbrook", 0.7, ["Anna Quellbrook"]),
        ("strength 5/5 and on 7/3/93", Category.DATE, "5 / 7 3 93", 0.9, ["7/3/93"]),
        ("platelets 250000", Category.DATE, "250000", 0.3, []),
        ("since 1995-1996", Category.OTHER_ID, "1995 - 1996", 0.99, []),
        ("the antagonist Ro4368554 acts", Category.OTHER_ID, "Ro 4368554", 0.85, []),
        ("Badge: Ro4368554", Category.OTHER_ID, "Ro 4368554", 0.9, ["Ro4368554"]),
        ("Tube 12 of 14", Category.OTHER_ID, "12", 0.7, []),
        ("45M with pain", Category.AGE, "45 M", 0.99, []),
        ("95M with pain", Category.AGE, "95 M", 0.99, ["95M"]),
        ("Lipase was 1960 U/L.", Category.NAME, "L", 0.99, []),
        ("Lipase was 1960 U/L.", Category.NAME, "L .", 0.99, []),
        ("His glucose is 105.", Category.AGE, "105", 0.8, []),
        ("His ferritin is 258.", Category.AGE, "258", 0.99, []),
        ("She is 105.", Category.AGE, "105", 0.97, ["105"]),
        ("is 1140 months old", Category.AGE, "1140", 0.5, ["1140"]),
        ("temp 101F now", Category.AGE, "101 F", 0.99, []),
        ("in her eighties", Category.AGE, "eighties", 0.99, []),
        ("GCS was 3/15", Category.DATE, "3 / 15", 0.94, []),
        ("name QUELLBROOK F/58", Category.NAME, "QUELLBROOK F", 0.99, ["QUELLBROOK"]),
        ("AGE: 45/F. Seen", Category.NAME, "F .", 0.99, []),
        ("Attending: Surgery", Category.NAME, "Surgery", 0.99, []),
        ("his aunt 88", Category.NAME, "88", 0.99, []),
        ("Since 2019 on dialysis", Category.PHONE, "2019", 0.6, []),
        ("Dial 2019 for help", Category.PHONE, "2019", 0.6, ["2019"]),
        ("ON JUNE 5 HIS WIFE", Category.DATE, "JUNE 5 HIS", 0.99, ["JUNE 5"]),
        ("saw Osgood. White count 9", Category.NAME, "Osgood . White", 0.7, ["Osgood."]),
        ("moved to Dwyne, then home", Category.LOCATION, "Dwyne home", 0.6, ["Dwyne"]),
    ],
)
def test_what_the_tagger_says_is_held_against_words_and_forms(
    text: str, category: Category, words: str, probability: float, kept: list[str]
) -> None:
    assert found(text, category, words, probability) == kept


def test_what_the_general_model_sees_alone_needs_a_second() -> None:
    drug, name = (
        Span(0, 8, Category.NAME, 0.6, "Statistical"),
        Span(10, 15, Category.NAME, 0.6, "Statistical"),
    )
    assert seconded([drug, name], [Tagged(12, 15, Category.DATE, FAINT)]) == [name]


def test_the_models_that_are_shipped_say_what_they_were_fitted_on() -> None:
    said = json.loads(SOURCES_FILE.read_text())
    assert [*said] == [path.name for path in TAGGER_FILES]
    assert all("benchmarks/deid_tagger.py --fit" in one for one in said.values())
