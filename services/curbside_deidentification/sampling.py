"""A sample for an expert's review, and what the marked sample says of recall, with exact intervals.

45 CFR 164.514(b)(1) asks an expert for "methods and results"; this is the measuring half. `draw_sample` takes
documents at random, by a seed, from what `curbside deidentify` wrote. The expert reads each one, writes what
was left into `missed`, sets `phi` to false at what was removed without need, and `reviewed` to true.
`measure_recall` then counts. Quarantined documents were passed on to nobody and are in no sample.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from curbside.errors import BadInput, OperatorError
from curbside.phi import PLACEHOLDER, Category
from curbside_deidentification.batch_lines import lines_of, problem_of
from curbside_deidentification.domain.binomial import exact_interval
from curbside_deidentification.overwriting import require_apart

_CONFIDENCE: Final = 0.95
_CATEGORIES: Final = frozenset(Category)
_LISTS: Final = ("spans", "missed")
_OF_SPANS: Final = ("start", "end", "category")


class UnreadableSample(OperatorError):
    """A file is no output of `curbside deidentify`, or no sample. Names the line, never what is in it."""

    code = "sampling.unreadable"


class ReviewedSample(BadInput):
    """A sample that somebody has begun to review stands where another would be written."""

    code = "sampling.reviewed"


class NotReviewed(BadInput):
    """Documents of the sample that nobody has reviewed would count as free of leaks."""

    code = "sampling.not-reviewed"


@dataclass(frozen=True)
class Drawn:
    """How many documents were drawn, of how many that were passed on, and how many were quarantined; how many
    of the drawn have no original among those given, where one of the same id may be of another text, and how
    many lines of the originals are no documents."""

    drawn: int
    passed_on: int
    quarantined: int
    without_original: int = 0
    bad_originals: int = 0


@dataclass(frozen=True)
class Share:
    """`hits` of `trials` and the 95 % interval of the share, all of 1."""

    hits: int
    trials: int

    @property
    def value(self) -> float:
        return self.hits / self.trials if self.trials else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return exact_interval(self.hits, self.trials, _CONFIDENCE)


@dataclass(frozen=True)
class Recall:
    """What a reviewed sample says.

    The intervals of mentions take them for independent. Mentions of one document are not, so that the true
    ones are wider; `documents` (without one mention left) is of independent draws, and holds as it stands.
    """

    by_category: Mapping[Category, Share]
    overall: Share
    precision: Share
    documents: Share


def draw_sample(
    deidentified: Path, target: Path, count: int, seed: int, *, originals: Path | None = None
) -> Drawn:
    """Write `count` documents of `deidentified`, drawn by `seed`, into `target` for review.

    With `originals`, what went into `curbside deidentify`, each document stands beside its original, and the
    file then holds PHI; it is readable by its owner alone in any case. Raises UnreadableSample,
    WritesOverInput, and ReviewedSample where `target` holds somebody's review.
    """
    require_apart([deidentified, *([originals] if originals else [])], [target])
    _require_unreviewed(target)
    random = Random(seed)  # noqa: S311  (who reviews must be able to draw the same sample again)
    passed_on = quarantined = 0
    kept: list[dict[str, Any]] = []
    for _, row in _rows(deidentified, ("id", "text", "spans")):
        if row.get("quarantined"):
            quarantined += 1
            continue
        passed_on += 1
        # Vitter's algorithm R: every document has the same chance, and the file is read once.
        if len(kept) < count:
            kept.append(row)
        elif (place := random.randrange(passed_on)) < count:
            kept[place] = row
    if not passed_on:
        raise UnreadableSample(
            f"{deidentified.name} holds no document that was passed on.",
            mend="Give what `curbside deidentify` wrote.",
        )
    found, bad = _originals(originals, {str(row["id"]) for row in kept}) if originals else ({}, 0)
    texts = [_original_of(row, found.get(str(row["id"]), ())) for row in kept]
    if originals and kept and not any(text is not None for text in texts):
        raise UnreadableSample(
            f"{originals.name} has the original of none of the {len(kept)} documents that were drawn.",
            field="--originals",
            mend=f"Give the file that `curbside deidentify` made {deidentified.name} of.",
        )
    # Opened with its mode, so that nobody reads it between the two.
    target.touch(mode=0o600)
    target.chmod(0o600)
    with target.open("w", encoding="utf-8") as lines:
        for row, text in zip(kept, texts, strict=True):
            lines.write(json.dumps(_for_review(row, text), ensure_ascii=False) + "\n")
    without = sum(text is None for text in texts) if originals else 0
    return Drawn(len(kept), passed_on, quarantined, without, bad)


def _require_unreviewed(target: Path) -> None:
    """Raise ReviewedSample where `target` holds a review, UnreadableSample where it is no sample."""
    if not target.exists():
        return
    rows = _rows(target, ("id", "text", "spans", "missed", "reviewed"))
    reviewed = sum(bool(row["reviewed"] is not False or row["missed"]) for _, row in rows)
    if reviewed:
        raise ReviewedSample(
            f"{target.name} is a sample of which {reviewed} documents are reviewed: that would be lost.",
            field="--output",
            mend="Name another file with -o.",
        )


def _for_review(row: Mapping[str, Any], text: str | None) -> dict[str, Any]:
    original = {"original": text} if text is not None else {}
    return {
        "id": row["id"],
        "reviewed": False,
        "missed": [],
        "text": row["text"],
        **original,
        "spans": [
            {name: span[name] for name in _OF_SPANS if name in span} | {"phi": True} for span in row["spans"]
        ],
    }


def _originals(path: Path, wanted: set[str]) -> tuple[dict[str, list[str]], int]:
    """The texts of the `wanted` ids, as `curbside deidentify` reads them; how many lines it leaves out. Some
    may have one id."""
    texts: dict[str, list[str]] = {}
    bad = 0
    try:
        for _, line in lines_of(path):
            if problem_of(line) is not None:
                bad += 1
                continue
            row = json.loads(line)
            if str(row["id"]) in wanted:
                texts.setdefault(str(row["id"]), []).append(row["text"])
    except OSError as error:
        raise UnreadableSample(f"{path}: {error.strerror}.", field="--originals") from None
    return texts, bad


def _original_of(row: Mapping[str, Any], texts: Sequence[str]) -> str | None:
    """The one of `texts` that became `row`: an id may be another document's in another file."""
    return next((text for text in texts if _became(text, row)), None)


def _became(text: str, row: Mapping[str, Any]) -> bool:
    """Whether the text of `row` is `text` with placeholders at the row's spans."""
    replaced = row["text"]
    try:
        spans = sorted((int(span["start"]), int(span["end"])) for span in row["spans"])
    except (KeyError, TypeError, ValueError):
        return False
    here = there = 0  # in the text, and in what became of it
    for start, end in spans:
        gap = text[here:start]
        placeholder = PLACEHOLDER.match(replaced, there + len(gap))
        if not replaced.startswith(gap, there) or placeholder is None or end > len(text):
            return False
        here, there = end, placeholder.end()
    return bool(replaced[there:] == text[here:])


def measure_recall(marked: Path) -> Recall:
    """Count a reviewed sample. Raises UnreadableSample, also where it holds no document, and NotReviewed
    where one was left out.

    Each entry of `missed` is `{"text", "category"}`, the words as they stand in the document, once for every
    place where they stand.
    """
    found: Counter[Category] = Counter()
    missed: Counter[Category] = Counter()
    documents = clean = needless = 0
    unread: list[int] = []
    for number, row in _rows(marked, ("id", "text", "spans", "missed", "reviewed")):
        documents += 1
        if not _boolean(row["reviewed"], "reviewed", marked, number):
            unread.append(number)
            continue
        for span in row["spans"]:
            if _is_phi(span, marked, number):
                found[_category(span, marked, number)] += 1
            else:
                needless += 1
        for entry in row["missed"]:
            missed[_missed(entry, row, marked, number)] += 1
        clean += not row["missed"]
    if not documents:
        raise UnreadableSample(f"{marked.name} holds no document.", mend="Give a sample that was reviewed.")
    if unread:
        raise NotReviewed(
            f"{len(unread)} of {documents} documents of {marked.name} are not reviewed.",
            mend='Set "reviewed" to true where a document was read to its end.',
            lines=unread,
        )
    return Recall(
        by_category={
            category: Share(found[category], found[category] + missed[category])
            for category in Category
            if found[category] + missed[category]
        },
        overall=Share(found.total(), found.total() + missed.total()),
        precision=Share(found.total(), found.total() + needless),
        documents=Share(clean, documents),
    )


def _is_phi(span: Mapping[str, Any], path: Path, number: int) -> bool:
    return _boolean(span.get("phi"), "phi", path, number)


def _boolean(value: object, field: str, path: Path, number: int) -> bool:
    """`value` where it is JSON's true or false: "no" is neither, and would count as true."""
    if not isinstance(value, bool):
        raise UnreadableSample(
            f'{path.name}, line {number}: "{field}" is neither true nor false.',
            field=field,
            mend="Write true or false, without quotation marks.",
            line=number,
        )
    return value


def _missed(entry: Mapping[str, Any], row: Mapping[str, Any], path: Path, number: int) -> Category:
    words = entry.get("text")
    if not isinstance(words, str) or not words.strip() or words not in row["text"]:
        raise UnreadableSample(f"{path.name}, line {number}: what is marked as missed is not in the text.")
    return _category(entry, path, number)


def _category(entry: Mapping[str, Any], path: Path, number: int) -> Category:
    if entry.get("category") not in _CATEGORIES:
        raise UnreadableSample(
            f"{path.name}, line {number}: a span has no category of {', '.join(sorted(_CATEGORIES))}."
        )
    return Category(entry["category"])


def _rows(path: Path, fields: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file that we wrote, each with its line's number; an editor may have put a mark first."""
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict) or not all(field in row for field in fields):
                    raise UnreadableSample(f"{path.name}, line {number}: {', '.join(fields)} are expected.")
                if not all(_is_list_of_objects(row[field]) for field in fields if field in _LISTS):
                    raise UnreadableSample(f"{path.name}, line {number}: spans and missed list objects.")
                yield number, row
    except OSError as error:
        raise UnreadableSample(f"{path}: {error.strerror}.") from None
    except ValueError:
        raise UnreadableSample(f"{path.name} is not JSON lines in UTF-8.") from None


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
