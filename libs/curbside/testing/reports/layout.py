"""How a report looks: letterheads and sign-offs full of PHI, in families, with gold spans."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final

from curbside.phi import Category
from curbside.testing.reports.identities import Identity, spell

_SLOT: Final = re.compile(r"<([a-z]+)(?::([a-z]+))?>")


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """One planted mention: start and end in Unicode code points of the report's text."""

    start: int
    end: int
    category: Category


@dataclass(frozen=True, slots=True)
class Encounter:
    """What the slots of one report's templates are filled from."""

    patient: Identity
    doctor: tuple[str, str]
    facility: str
    on: date
    accession: str
    age: int


@dataclass(frozen=True, slots=True)
class Family:
    """One style of PHI: lines above the body, a sentence in the history, lines below."""

    head: tuple[str, ...]
    history: str
    foot: tuple[str, ...]


@dataclass
class Draft:
    """Text under construction, with the spans planted so far."""

    text: str = ""
    spans: list[GoldSpan] = field(default_factory=list)

    def line(self, template: str, encounter: Encounter) -> None:
        self.fill(template, encounter)
        self.text += "\n"

    def fill(self, template: str, encounter: Encounter) -> None:
        """Append `template`, its slots `<slot:style>` filled and marked."""
        position = 0
        for slot in _SLOT.finditer(template):
            self.text += template[position : slot.start()]
            category, value = fill_slot(slot[1], slot[2] or "", encounter)
            if category is not None:
                self.spans.append(GoldSpan(len(self.text), len(self.text) + len(value), category))
            self.text += value
            position = slot.end()
        self.text += template[position:]


def fill_slot(slot: str, style: str, encounter: Encounter) -> tuple[Category | None, str]:
    """Category and text of a slot; an age below 90 is no identifier, so its category is None."""
    if slot == "age":
        return (Category.AGE if encounter.age >= 90 else None), str(encounter.age)
    category, value = _SLOTS[slot]
    return category, value(encounter, style)


def _patient(e: Encounter, style: str) -> str:
    p = e.patient
    return {
        "": f"{p.first} {p.last}",
        "caps": f"{p.last.upper()}, {p.first.upper()}",
        "middle": f"{p.first} {p.initial}. {p.last}",
        "initial": f"{p.first[0]}. {p.last}",
        "last": p.last,
        "nick": p.nickname,
    }[style]


def _doctor(e: Encounter, style: str) -> str:
    first, last = e.doctor
    return {"": f"{first} {last}", "last": last, "caps": f"{last.upper()}, {first.upper()}"}[style]


_SLOTS: Final[Mapping[str, tuple[Category, Callable[[Encounter, str], str]]]] = MappingProxyType(
    {
        "patient": (Category.NAME, _patient),
        "doctor": (Category.NAME, _doctor),
        "relative": (Category.NAME, lambda e, _: e.patient.relative),
        "facility": (Category.FACILITY, lambda e, _: e.facility),
        "date": (Category.DATE, lambda e, style: spell(e.on, style or "us")),
        "birth": (Category.DATE, lambda e, style: spell(e.patient.birth, style or "us")),
        "mrn": (Category.MRN, lambda e, _: e.patient.mrn),
        "ssn": (Category.SSN, lambda e, _: e.patient.ssn),
        "phone": (Category.PHONE, lambda e, _: e.patient.phone),
        "fax": (Category.FAX, lambda e, _: e.patient.fax),
        "email": (Category.EMAIL, lambda e, _: e.patient.email),
        "address": (
            Category.LOCATION,
            lambda e, _: f"{e.patient.street}, {e.patient.city}, {e.patient.state} {e.patient.zip}",
        ),
        "city": (Category.LOCATION, lambda e, _: e.patient.city),
        "account": (Category.ACCOUNT, lambda e, _: e.patient.account),
        "plan": (Category.HEALTH_PLAN, lambda e, _: e.patient.plan),
        "device": (Category.DEVICE, lambda e, _: e.patient.device),
        "accession": (Category.OTHER_ID, lambda e, _: e.accession),
        "url": (Category.URL, lambda e, _: f"https://portal.example.org/visits/{e.accession.casefold()}"),
    }
)

PHI_FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "letterhead": Family(
            ("<facility>", "Patient: <patient>    MRN: <mrn>    DOB: <birth>", "Date of service: <date>"),
            "<patient> is <age> years old.",
            ("Dictated by Dr. <doctor> on <date>",),
        ),
        "capitals": Family(
            (
                "PATIENT NAME: <patient:caps>",
                "MEDICAL RECORD NUMBER: <mrn>",
                "ACCESSION: <accession>",
                "DATE: <date:military>",
            ),
            "Mr. or Mrs. <patient:last>, aged <age>, comes from <city>.",
            ("Electronically signed by: <doctor:caps>, MD <date:military>",),
        ),
        "portal": Family(
            ("Name: <patient:middle> | Account: <account> | Visit: <date:iso>", "Contact: <email>, <phone>"),
            "The patient, <age>, is accompanied by daughter <relative>.",
            ("Signed: Dr. <doctor>, <facility>, <url>",),
        ),
        "letter": Family(
            ("<facility>", "Re: <patient>, born <birth:european>, <address>", "Seen on <date:long>"),
            "Thank you for referring <patient:initial>, aged <age>.",
            ("Yours sincerely, Dr. <doctor>", "Fax: <fax>"),
        ),
        "insurance": Family(
            ("Patient <patient> - SSN <ssn> - Member ID <plan>", "Date: <date:short>"),
            "<patient:nick>, as the family says, is <age> years old.",
            ("Reviewed by <doctor>, MD at <facility>",),
        ),
        "device": Family(
            ("MRN <mrn> <patient:caps> <date:iso>", "Scanner serial number: <device>"),
            "Age <age>. Lives at <address>.",
            ("Attending: Dr. <doctor>   Phone: <phone>",),
        ),
    }
)
