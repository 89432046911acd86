"""The score of known identifiers: what it takes for one, and that the finder reaches it on real messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from curbside.testing.reports.identities import KnownIdentifiers
from curbside.testing.scoring.known_recall import (
    Mention,
    Subject,
    in_messages,
    in_notes,
    known_recall,
    subjects_of_fhir,
    subjects_of_hl7,
)
from curbside_deidentification.domain.known import Known, find_known
from curbside_deidentification.domain.policy import load_policy

PID = (
    "MSH|^~\\&|LAB\rPID|1||A1234567^^^LAB^MR~99||Quatremer^Ottilie^Jane||19610203|F|||"
    "7 Elm Row^^Bywater^WI^53005||(555)010-9988^PRN^PH~^NET^Internet^oq@example.org|||||||987-65-4321\r"
    "OBX|1|TX|||Quatremer slept"
)


def find(text: str, known: KnownIdentifiers) -> list[tuple[int, int]]:
    policy = load_policy()
    identifiers = Known(
        names=known.names + known.nicknames + known.relatives + known.staff,
        numbers=known.numbers,
        mrns=known.mrns,
        dates=known.dates_of_birth,
        addresses=known.addresses,
        phones=known.phones,
        emails=known.emails,
    )
    return [
        (span.start, span.end) for span in find_known(text, identifiers, policy.lexicon, policy.known_words)
    ]


def test_a_pid_segment_yields_its_identifiers() -> None:
    (subject,) = subjects_of_hl7(PID)
    assert subject.known == KnownIdentifiers(
        names=("Ottilie Jane Quatremer",),
        mrns=("A1234567",),
        numbers=("987-65-4321",),
        dates_of_birth=("19610203",),
        addresses=("7 Elm Row, Bywater, WI 53005",),
        phones=("(555)010-9988",),
        emails=("oq@example.org",),
    )
    assert "Quatremer" not in repr(subject)


def test_what_stands_for_an_identifier_in_a_test_message_is_none() -> None:
    (subject,) = subjects_of_hl7("PID|1||test^^^L||<deidentified>^X||||||PIDADD!^^PIDCITY!")
    assert subject.known == KnownIdentifiers()


def test_each_place_counts_once_and_a_year_not_at_all() -> None:
    text = "Quatremer, born 1961, is Quatremer."
    mentions = [Mention(0, 9, "name"), Mention(16, 20, "date"), Mention(25, 34, "name")]
    score = known_recall([(text, KnownIdentifiers(), mentions)], lambda _, __: [(0, 9), (22, 24)])
    assert (score.recall, score.zero_leak, score.removed_beside) == (0.5, 0.0, 1)
    assert score.summary()["recall_name"] == 0.5


def test_a_message_and_its_notes_are_found_whole() -> None:
    subjects = list(subjects_of_hl7(PID))
    for texts in (in_messages(subjects), in_notes(subjects)):
        score = known_recall(texts, find)
        assert (score.recall, score.missed) == (1.0, [])


def patients(shared: Path) -> Iterator[Subject]:
    for path in sorted((shared / "data" / "fhir" / "synthea").glob("*_*.json")):
        yield from subjects_of_fhir(json.loads(path.read_text("utf-8")))
    for path in sorted((shared / "data" / "hl7v2").rglob("*.hl7"))[::3]:
        with path.open(encoding="utf-8", errors="replace", newline="") as message:
            yield from subjects_of_hl7(message.read())


def test_identifiers_of_real_patients_and_pid_segments_are_found(shared: Path) -> None:
    subjects = list(patients(shared))
    for texts in (in_messages(subjects), in_notes(subjects)):
        score = known_recall(texts, find)
        assert score.total.total() > 500
        assert score.recall >= 0.995
