"""Fit the tagger that finds identifiers by what stands around them, and show what it adds to the rules.

`--fit` writes `domain/data/tagger.crfsuite` and, of the families that were written first,
`tagger_first.crfsuite`, from generated notes of the development families, in every case
and layout, and from every second abstract of MedMentions, in which nothing is PHI. Some names are seen as
others, so that one that no list holds, or that is a word, is known by its place. Run it again after new
families.

The figures are of the `unread` families, which it is never fitted on and no rule was written against.
`unseen_recall`, `unseen_zero_leak` and `unseen_precision` are by the rules of `../shared/bench/phi_score.py`,
of our rules with the tagger, beside the rules alone: without the general model, repeated names and known
identifiers.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from rich.console import Console
from rich.progress import track

from curbside.phi import Category
from curbside.testing.figures import Figure, add_json_option, report
from curbside.testing.notes import FamilySet, Note, generate, load_families
from curbside.testing.notes.rows import label_of
from curbside.testing.scoring import Gold, PhiScore, Predicted, score_phi
from curbside.testing.scoring.sets import MEDICAL, read_phi_set
from curbside_deidentification.domain.features import features, tokens
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.tagging import KINDS, OUTSIDE, SOURCES_FILE, TAGGER_FILES, Tagger
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.recognisers.contextual import Contextual

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
_SEED: Final = 20_261_128
_NOTES_OF_A_FAMILY: Final = 40
# The families of these authors were written later, each set when the rules knew the one before.
_LATER: Final = (
    *("w_", "rp_", "ct_", "c_"),
    *("fa_", "fb_", "fc_", "fd_", "fe_", "ff_", "gg_", "hh_", "ii_", "jj_", "kk_", "ll_", "mm_", "nn_"),
)
_ROUNDS: Final = 110  # of fitting
# How often an abstract is fitted on: made-up notes hold few compounds, genes and strains.
_PLAIN_TIMES: Final = 2
_PIECE: Final = 150  # tokens of a sequence that is fitted on
# Shares of the words of names that are seen as another: one that no list holds, one that is a plain word, too
# ("Hand"), and a listed one, so that the names of the made-up notes are not all that names look like.
_OTHERS: Final = {"made up": 0.25, "word": 0.15, "listed": 0.3}
# A feed may have lost a note's line breaks, or its case.
_SPELT: Final = ("",) * 7 + ("flat", "capitals")
_SETTINGS: Final = {
    "c1": 0.3,
    "c2": 0.1,
    "feature.minfreq": 3,
    "feature.possible_transitions": True,
}
_SOUNDS: Final = {sound: sounds for sounds in ("aeiou", "bdgkpt", "fsvz", "lmnr") for sound in sounds}
_LETTER: Final = {category: kind for kind, category in KINDS.items()}
_NUMBERS: Final = "I"  # what no kind of its own stands for
_OF_CONTACT: Final = {Category.FAX: "T", Category.PHONE: "T"}


@dataclass(frozen=True)
class Marked:
    """A text and its mentions: where each begins and ends, and its kind."""

    text: str
    mentions: Sequence[tuple[int, int, str]]


def marked(note: Note, spelt: str) -> Marked:
    text = note.text
    if spelt == "flat":
        text = text.replace("\n", " ")
    elif spelt:
        text = "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in text)
    return Marked(
        text,
        [(span.start, span.end, _kind(span.category)) for span in note.spans if span.category is not None],
    )


def _kind(category: Category) -> str:
    return _LETTER.get(category) or _OF_CONTACT.get(category) or _NUMBERS


def sequences(one: Marked, random: Random | None = None) -> Iterator[tuple[list[list[str]], list[str]]]:
    """Features and labels of the tokens of a text, in pieces."""
    found = tokens(one.text)
    labels = [OUTSIDE] * len(found)
    words_of_names: list[str] = []
    for start, end, kind in one.mentions:
        begun = False
        for i, token in enumerate(found):
            if token.start() < end and token.end() > start and not token[0].isspace():
                labels[i] = f"{'I' if begun else 'B'}-{kind}"
                begun = True
                if kind == _LETTER[Category.NAME]:
                    words_of_names.append(token[0])
    seen = features(
        found,
        document_lexicon(one.text, load_policy().lexicon),
        _others({*words_of_names}, random) if random else {},
    )
    for begin in range(0, len(found), _PIECE):
        yield seen[begin : begin + _PIECE], labels[begin : begin + _PIECE]


def _others(words: Set[str], random: Random) -> dict[str, str]:
    """For some of `words` of names the word that each is to be seen as, written alike."""
    listed, also_words = _names()
    others = {}
    for word in sorted(words):
        if len(word) < 2 or not word[0].isalpha():
            continue
        [kind] = random.choices([*_OTHERS, "itself"], [*_OTHERS.values(), 1 - sum(_OTHERS.values())])
        if kind == "itself":
            continue
        other = random.choice(also_words if kind == "word" else listed)
        if kind == "made up":
            other = "".join(random.choice(_SOUNDS.get(letter, letter)) for letter in other)
        others[word] = other.upper() if word.isupper() else other if word.islower() else other.capitalize()
    return others


@cache
def _names() -> tuple[Sequence[str], Sequence[str]]:
    """The frequent names, in small letters; and those of them that are plain words, too."""
    lexicon = load_policy().lexicon
    listed = sorted(lexicon.surnames | lexicon.forenames)
    return listed, [name for name in listed if lexicon.is_word(name)]


def fit(families: FamilySet, notes: int, path: Path) -> str:
    """Fit on `notes` of `families`, write the model, and say on what."""
    from pycrfsuite import Trainer

    random = Random(_SEED)  # noqa: S311
    written = [marked(note, random.choice(_SPELT)) for note in generate(families, notes, _SEED)]
    plain = [Marked(one.text, ()) for one in read_phi_set(SHARED, MEDICAL).documents[0::2]]
    trainer = Trainer(verbose=False)
    count = 0
    for one in track([*written, *(plain * _PLAIN_TIMES)], description="features", transient=True):
        for seen, labels in sequences(one, random):
            trainer.append(seen, labels)
            count += len(labels)
    trainer.set_params({**_SETTINGS, "max_iterations": _ROUNDS})
    trainer.train(str(path))
    return (
        f"benchmarks/deid_tagger.py --fit: {count:,} tokens of {notes:,} made up notes ({families.name}, "
        f"{len(families.families)} families, seed {_SEED}) and {len(plain)} abstracts of MedMentions (CC BY "
        "4.0), which have no PHI"
    )


def first(families: FamilySet) -> FamilySet:
    """Those of `families` that were written first."""
    return replace(families, families=[one for one in families.families if not one.name.startswith(_LATER)])


@dataclass(frozen=True)
class Unseen:
    """Of notes of families that the tagger was not fitted on: the rules alone, and with it."""

    rules: PhiScore
    both: PhiScore


def unseen(families: FamilySet, notes_of_each: int) -> Unseen:
    lexicon, recogniser = load_policy().lexicon, Contextual(Tagger())
    gold: list[Gold] = []
    by_rules: dict[str, Predicted] = {}
    by_both: dict[str, Predicted] = {}
    notes = generate(families, notes_of_each * len(families.families), _SEED + 1)
    for note in track(notes, description="notes", transient=True):
        spans = [(span.start, span.end, label_of(span.category)) for span in note.spans]
        one = Gold(note.id, note.text, spans)
        of_note = document_lexicon(note.text, lexicon)
        ruled = [(span.start, span.end) for span in find_by_rule(note.text, of_note)]
        tagged = [(span.start, span.end) for span in recogniser.find(note.text, of_note)]
        gold.append(one)
        by_rules[one.id], by_both[one.id] = Predicted(ruled), Predicted([*ruled, *tagged])
    return Unseen(score_phi(gold, by_rules), score_phi(gold, by_both))


def figures(score: Unseen) -> list[Figure]:
    return [
        Figure(
            f"unseen_{name}",
            both,
            "%",
            f"{alone:.2f}: the rules alone",
            least=round(alone, 2) if name != "precision" else None,
            digits=2,
        )
        for name, both, alone in (
            ("recall", score.both.recall, score.rules.recall),
            ("zero_leak", score.both.zero_leak, score.rules.zero_leak),
            ("precision", score.both.precision, score.rules.precision),
        )
    ]


def main(arguments: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fit", action="store_true", help="fit and write domain/data/tagger.crfsuite")
    parser.add_argument("--quick", action="store_true", help="fewer notes of each family")
    add_json_option(parser)
    options = parser.parse_args(None if arguments is None else [*arguments])
    console = Console(width=120)
    if options.fit:
        of_all = load_families("development")
        sources = {
            path.name: fit(families, _NOTES_OF_A_FAMILY * len(families.families), path)
            for path, families in zip(TAGGER_FILES, (of_all, first(of_all)), strict=True)
        }
        SOURCES_FILE.write_text(json.dumps(sources, indent=2) + "\n")
        console.print(sources)
    found = figures(unseen(load_families("unread"), 2 if options.quick else 6))
    return report(found, console, options.json)


if __name__ == "__main__":
    sys.exit(main())
