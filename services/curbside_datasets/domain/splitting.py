"""Splits by patient. Patients who share a near-duplicate report go to one split together."""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

from curbside.errors import GateFailed
from curbside_datasets.domain.examples import Example, MinedReport
from curbside_datasets.domain.recipe import Recipe

_SHINGLE_WORDS: Final = 5


class TooFewPatients(GateFailed):
    code = "dataset.too-few-patients"


class SplitsLeak(GateFailed):
    code = "dataset.splits-leak"


class Split(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    HOLDOUT = "holdout"


def split_subjects(reports: Sequence[MinedReport], recipe: Recipe) -> dict[str, Split]:
    """The split of every subject: deterministic by the recipe's seed.

    Clusters are drawn in the order of a keyed hash and fill test, then validation, then train. One that
    is larger than the room left in test or validation goes to train. Raises TooFewPatients where train,
    validation or test would be empty.
    """
    clusters = _clusters(reports, recipe.near_duplicate)
    held_out = {report.subject for report in reports if report.source in recipe.holdout_sources}
    splits: dict[str, Split] = {}
    drawn: list[frozenset[str]] = []
    for cluster in clusters:
        # A near-duplicate of a held-out patient's report would tell the model what is held out.
        if cluster & held_out:
            splits |= dict.fromkeys(cluster, Split.HOLDOUT)
        else:
            drawn.append(cluster)
    patients = sum(map(len, drawn))
    room = {
        Split.TEST: max(1, round(patients * recipe.test)),
        Split.VALIDATION: max(1, round(patients * recipe.validation)),
    }
    for cluster in sorted(drawn, key=lambda one: _draw(one, recipe.split_seed)):
        chosen = next((split for split, left in room.items() if len(cluster) <= left), Split.TRAIN)
        if chosen is not Split.TRAIN:
            room[chosen] -= len(cluster)
        splits |= dict.fromkeys(cluster, chosen)
    filled = set(splits.values())
    missing = [split for split in (Split.TRAIN, Split.VALIDATION, Split.TEST) if split not in filled]
    if missing:
        raise TooFewPatients(
            f"{patients} patients with examples leave {', '.join(missing)} empty",
            mend="Ingest reports of more patients: three at the least, a hundred to learn anything.",
        )
    return splits


def near_duplicates(reports: Sequence[MinedReport], threshold: float) -> list[tuple[int, int]]:
    """Pairs of indices of reports of different subjects that are near-duplicates, by their inputs alone
    or with their answers."""
    subjects = [report.subject for report in reports]
    inputs = [report.mined.body for report in reports]
    whole = [" ".join((r.mined.body, *(a.text for a in r.mined.answers.values()))) for r in reports]
    return sorted({*similar_texts(inputs, subjects, threshold), *similar_texts(whole, subjects, threshold)})


def similar_texts(
    texts: Sequence[str], subjects: Sequence[str], threshold: float
) -> Iterator[tuple[int, int]]:
    """Pairs of indices of texts of different subjects whose shingles have a Jaccard similarity of
    `threshold` or more.

    Exact: two such sets share one of the rarest shingles of each (the prefix filter of Bayardo, Ma and
    Srikant, "Scaling up all pairs similarity search", WWW 2007). MinHash LSH of 128 permutations tuned to
    0.8 misses 7 % of the pairs at 0.9, and a check that misses what the split missed proves nothing.
    """
    shingled = [shingles(text) for text in texts]
    frequency = Counter(shingle for some in shingled for shingle in some)
    index: dict[str, list[int]] = defaultdict(list)
    for number in sorted(range(len(texts)), key=lambda at: (len(shingled[at]), at)):
        some = shingled[number]
        rarest = sorted(some, key=lambda shingle: (frequency[shingle], shingle))
        # 1e-9: 0.9 * 10 is a little more than 9 in binary.
        prefix = rarest[: len(some) - math.ceil(threshold * len(some) - 1e-9) + 1]
        for other in sorted({other for shingle in prefix for other in index[shingle]}):
            if subjects[other] != subjects[number] and similarity(some, shingled[other]) >= threshold:
                yield min(other, number), max(other, number)
        for shingle in prefix:
            index[shingle].append(number)


def shingles(text: str) -> frozenset[str]:
    words = text.casefold().split()
    return frozenset(
        " ".join(words[at : at + _SHINGLE_WORDS]) for at in range(max(1, len(words) - _SHINGLE_WORDS + 1))
    )


def similarity(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right)


def check_splits(by_split: Mapping[Split, Sequence[Example]], threshold: float) -> dict[str, str]:
    """What a manifest says of its own splits, seen from the rows that are published, priors included.

    Raises SplitsLeak where two splits share a patient or a near-duplicate.
    """
    rows = [(split, example) for split, some in by_split.items() for example in some]
    seen_in: dict[str, set[Split]] = defaultdict(set)
    texts: dict[tuple[str, str, str], Split] = {}
    for split, example in rows:
        seen_in[example.subject].add(split)
        texts[example.report_id, example.input, example.subject] = split
        if example.prior is not None:
            texts[example.prior_report_id or "", example.prior, example.subject] = split
    shared = sum(len(splits) > 1 for splits in seen_in.values())
    where = list(texts.values())
    pairs = similar_texts([text for _, text, _ in texts], [subject for _, _, subject in texts], threshold)
    leaks = sum(where[left] is not where[right] for left, right in pairs)
    if shared or leaks:
        raise SplitsLeak(
            f"{shared} patients and {leaks} pairs of near-duplicates lie in two splits at once",
            mend="Report this: the split is at fault, not the reports.",
        )
    return {
        "patients_shared_between_splits": "none",
        "near_duplicates_between_splits": f"none at {threshold:g}",
    }


def _clusters(reports: Sequence[MinedReport], threshold: float) -> list[frozenset[str]]:
    parent = {report.subject: report.subject for report in reports}

    def root(subject: str) -> str:
        while parent[subject] != subject:
            parent[subject] = parent[parent[subject]]
            subject = parent[subject]
        return subject

    for left, right in near_duplicates(reports, threshold):
        parent[root(reports[left].subject)] = root(reports[right].subject)
    groups: dict[str, set[str]] = defaultdict(set)
    for subject in parent:
        groups[root(subject)].add(subject)
    return [frozenset(group) for group in groups.values()]


def _draw(cluster: frozenset[str], seed: int) -> str:
    return hashlib.sha256(f"{seed}:{min(cluster)}".encode()).hexdigest()
