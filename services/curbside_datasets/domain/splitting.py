"""Splits by patient. Patients who share a near-duplicate report go to one split together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import combinations
from typing import Final

from curbside.errors import GateFailed
from curbside_datasets.domain.examples import MinedReport
from curbside_datasets.domain.recipe import Recipe

_SHINGLE_WORDS: Final = 5
_PERMUTATIONS: Final = 128


class TooFewPatients(GateFailed):
    code = "dataset.too-few-patients"


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
    """Pairs of indices of reports of different subjects whose inputs are near-duplicates.

    Candidates by MinHash LSH (Broder 1997), each verified by the exact Jaccard similarity.
    """
    from datasketch import MinHash, MinHashLSH

    shingled = [shingles(report.mined.body) for report in reports]
    index = MinHashLSH(threshold=max(0.1, threshold - 0.1), num_perm=_PERMUTATIONS)
    pairs = []
    for number, some in enumerate(shingled):
        if not some:
            continue
        sketch = MinHash(num_perm=_PERMUTATIONS)
        sketch.update_batch([shingle.encode() for shingle in some])
        for other in index.query(sketch):
            foreign = reports[other].subject != reports[number].subject
            if foreign and similarity(some, shingled[other]) >= threshold:
                pairs.append((other, number))
        index.insert(number, sketch)
    return pairs


def shingles(text: str) -> frozenset[str]:
    words = text.casefold().split()
    return frozenset(
        " ".join(words[at : at + _SHINGLE_WORDS]) for at in range(max(1, len(words) - _SHINGLE_WORDS + 1))
    )


def similarity(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / len(left | right)


def check_splits(
    reports: Sequence[MinedReport], splits: Mapping[str, Split], threshold: float
) -> dict[str, str]:
    """What a manifest says of its own splits; raises GateFailed where one leaks into another."""
    by_split: dict[Split, set[str]] = defaultdict(set)
    for report in reports:
        by_split[splits[report.subject]].add(report.subject)
    shared = [(a, b) for a, b in combinations(by_split, 2) if by_split[a] & by_split[b]]
    leaks = [
        (left, right)
        for left, right in near_duplicates(reports, threshold)
        if splits[reports[left].subject] is not splits[reports[right].subject]
    ]
    if shared or leaks:
        raise GateFailed(
            f"{len(shared)} pairs of splits share patients, {len(leaks)} reports near-duplicates"
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
