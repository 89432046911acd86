"""Documents that are read together become what each becomes alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.phi import Category, PhiText
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pipeline import Reason, deidentify
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.together import (
    MOST_CHARACTERS,
    MOST_DOCUMENTS,
    characters_of,
    deidentify_each,
    grouped,
)


class Model:
    """Takes the last word of a text for a name; fails on a text that says so."""

    def __init__(self) -> None:
        self.reads: list[int] = []

    def read(self, texts: Sequence[tuple[str, Lexicon]]) -> list[list[Span]]:
        self.reads.append(len(texts))
        if any("breaks" in text for text, _ in texts):
            raise ValueError("breaks")
        return [[Span(text.rindex(" ") + 1, len(text), Category.NAME, 0.6, "Model")] for text, _ in texts]

    def find(self, text: str, lexicon: Lexicon, candidates: Sequence[Span] | None = None) -> list[Span]:
        if candidates is None:
            [candidates] = self.read([(text, lexicon)])
        return [*find_by_rule(text, lexicon), *candidates]


def documents(*texts: str) -> list[PhiDocument]:
    return [PhiDocument(PhiText(text)) for text in texts]


@pytest.mark.parametrize(
    ("texts", "reads"),
    [
        (["Seen 04/12/2023 by Osei", "e\u0301 MRN: 4456781, Zoe\u0308"], [2]),
        (["Seen by Osei"], [1]),
        (["Seen by Osei", "this breaks", "Seen by Zoe"], [3, 1, 1, 1]),
        ([], []),
    ],
)
def test_each_becomes_what_it_becomes_alone(texts: list[str], reads: list[int]) -> None:
    together, alone = Model(), Model()
    results = list(deidentify_each(documents(*texts), together, load_policy()))
    assert results == [deidentify(one, alone, load_policy()) for one in documents(*texts)]
    assert together.reads == reads
    failed = [result.reason is Reason.RECOGNISER_FAILED for result in results]
    assert failed == ["breaks" in text for text in texts]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([], []),
        ([1] * (MOST_DOCUMENTS + 1), [MOST_DOCUMENTS, 1]),
        ([MOST_CHARACTERS, 1, 1], [1, 2]),
        ([1, 2 * MOST_CHARACTERS, 1], [1, 1, 1]),
    ],
)
def test_groups_are_bounded_and_keep_the_order(sizes: list[int], groups: list[int]) -> None:
    found = list(grouped((number, size) for number, size in enumerate(sizes)))
    assert [len(group) for group in found] == groups
    assert [number for group in found for number in group] == list(range(len(sizes)))


def test_what_is_to_be_looked_for_counts_as_well() -> None:
    known = KnownIdentifiers(names=(PhiText("Osei"),), mrns=(PhiText("12"),))
    assert characters_of(PhiDocument(PhiText("text"), known)) == 10
