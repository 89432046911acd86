"""Short clinical notes, and clients that post them until each is acknowledged, whatever dies meanwhile.

A patient's notes are posted by one client, one after the other: so there is an order to be kept.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from curbside.errors import Unavailable
from curbside.runtime.client import Api, ApiProblem
from curbside.testing.progress import Progress
from curbside.testing.reports.identities import Identity, make_doctor, make_identity, spell

SOURCE = "chaos"
_AMENDED = 0.1  # of the notes that have one before them
_OPEN_PATIENTS = 6  # whose notes a client posts in turns
_AGAIN_SECONDS = 0.05

_COMPLAINTS = (
    "cough for two weeks",
    "pain in the right knee after a fall",
    "shortness of breath on exertion",
    "a rash on both forearms",
    "intermittent chest pain",
    "headache and blurred vision",
)
_FINDINGS = (
    "Lungs are clear, no wheeze.",
    "Crackles at the left base, temperature 38.4.",
    "Blood pressure 162/94, pulse regular.",
    "Mild effusion, full range of motion.",
    "No focal deficit, fundi normal.",
)
_PLANS = (
    "Chest radiograph ordered, follow up in one week.",
    "Amoxicillin 500 mg three times daily for seven days.",
    "Lisinopril raised to 20 mg, laboratory in two weeks.",
    "Ice and rest, physiotherapy if no better.",
    "Reassured; return if it gets worse.",
)


@dataclass
class Note:
    """One report to be posted. `report_id` is there once it is acknowledged."""

    external_id: str
    patient_id: str
    status: str
    text: str
    authored_at: datetime
    report_id: str = ""

    def body(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "external_id": self.external_id,
            "patient_id": self.patient_id,
            "type": "clinic",
            "status": self.status,
            "authored_at": self.authored_at.isoformat(),
            "source": SOURCE,
        }


def write_notes(rng: random.Random, prefix: str, count: int) -> list[Note]:
    """`count` notes of patients with four to eight each, in turns; some amend an earlier one."""
    written: list[Note] = []
    patients: list[Iterator[Note]] = []
    while len(written) < count:
        while len(patients) < _OPEN_PATIENTS:
            patients.append(_of_patient(rng, f"{prefix}-{rng.getrandbits(40):012d}"))
        chosen = rng.randrange(len(patients))
        note = next(patients[chosen], None)
        if note is None:
            del patients[chosen]
        else:
            written.append(note)
    return written


def _of_patient(rng: random.Random, prefix: str) -> Iterator[Note]:
    identity = make_identity(rng)
    day = datetime(2024, 1, 1, 9, tzinfo=UTC) + timedelta(days=rng.randrange(300))
    seen: list[str] = []
    for number in range(rng.randint(4, 8)):
        day += timedelta(days=rng.randint(1, 20), minutes=rng.randrange(480))
        amends = bool(seen) and rng.random() < _AMENDED
        external_id = rng.choice(seen) if amends else f"{prefix}-{number}"
        if not amends:
            seen.append(external_id)
        status = "amended" if amends else "final"
        # Another patient of the same name and number would be the same patient.
        patient = f"{identity.mrn}-{prefix}"
        yield Note(external_id, patient, status, _text(rng, identity, day), day)


def _text(rng: random.Random, patient: Identity, day: datetime) -> str:
    _, doctor = make_doctor(rng)
    seen_on = spell(day.date(), rng.choice(("us", "iso", "long")))
    return (
        f"CLINIC NOTE. {patient.first} {patient.last}, MRN {patient.mrn}, was seen on {seen_on} for "
        f"{rng.choice(_COMPLAINTS)}. {rng.choice(_FINDINGS)} {rng.choice(_PLANS)} "
        f"Call {patient.phone}. Dr. {doctor}"
    )


class Client(threading.Thread):
    """Posts `notes` in their order: one by one, or in batches of up to `most` rows."""

    def __init__(
        self,
        connect: Callable[[], Api],
        notes: Sequence[Note],
        progress: Progress,
        rng: random.Random,
        *,
        most: int,
    ) -> None:
        super().__init__(daemon=True)
        self._connect = connect
        self._notes = notes
        self._progress = progress
        self._rng = rng
        self._most = most

    def run(self) -> None:
        try:
            api = self._connect()
            start = 0
            while start < len(self._notes):
                end = start + (1 if self._most == 1 else self._rng.randint(2, self._most))
                self._post_until_acknowledged(api, self._notes[start:end])
                start = end
        except BaseException as error:
            self._progress.fail(error)

    def _post_until_acknowledged(self, api: Api, notes: Sequence[Note]) -> None:
        left = list(notes)
        while left:
            done = self._post_one(api, left[0]) if self._most == 1 else self._post_batch(api, left)
            self._progress.note(acknowledged=done)
            left = [note for note in left if not note.report_id]
            if left and self._progress.stop.wait(_AGAIN_SECONDS):
                raise RuntimeError("stopped before everything was acknowledged")

    def _post_one(self, api: Api, note: Note) -> int:
        try:
            note.report_id = api.post("/ingestion/v1/reports", note.body())["report_id"]
        except Unavailable:
            self._progress.note("nothing")
        except ApiProblem as problem:
            return self._take_problem(note, problem.body)
        else:
            self._progress.note("202")
            return 1
        return 0

    def _post_batch(self, api: Api, notes: Sequence[Note]) -> int:
        lines = "\n".join(json.dumps(note.body()) for note in notes)
        try:
            answer = api.request(
                "POST",
                "/ingestion/v1/reports:batch",
                content=lines.encode(),
                headers={"content-type": "application/x-ndjson"},
            )
        except Unavailable:
            self._progress.note("nothing")
            return 0
        except ApiProblem as problem:
            if "rejected" not in problem.body:
                return self._take_problem(notes[0], problem.body)
            answer = {"accepted": [], "rejected": problem.body["rejected"]}
        for row in answer["accepted"]:
            notes[row["row"] - 1].report_id = row["report_id"]
        self._progress.note(*["202"] * len(answer["accepted"]))
        refused = [self._take_problem(notes[row["row"] - 1], row["problem"]) for row in answer["rejected"]]
        return len(answer["accepted"]) + sum(refused)

    def _take_problem(self, note: Note, problem: Mapping[str, Any]) -> int:
        """1 where it says that the note is there already, 0 where it is to be sent again."""
        status = int(problem["status"])
        self._progress.note(str(status))
        if status == 409 and problem.get("code") == "report.duplicate":
            # A kill cut off the answer to an earlier try: the report is there all the same.
            note.report_id = problem["report_id"]
            return 1
        if status < 500:
            raise ApiProblem(problem)
        return 0
