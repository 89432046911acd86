"""Everything that one note may say: its people, days, places and numbers, each drawn once and then kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from curbside.testing.notes.numbers import NUMBERS
from curbside.testing.notes.people import Person, make_person
from curbside.testing.notes.values import Values
from curbside.testing.reports.identities import KnownIdentifiers

# One patient in eight is 90 or older: far more than in life, so that the rule about ages is measured.
_SHARE_OF_OLD: Final = 0.12
_STAFF: Final = ("attending", "consultant", "resident", "pcp", "typist")
_NURSES: Final = ("nurse", "technician")
# Who is in few notes: made when first asked for, with a degree from this list, if any.
_OTHERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "surgeon": "degrees",
        "fellow": "degrees",
        "second_nurse": "nurse_degrees",
        "therapist": "nurse_degrees",
        "clerk": "",
        "friend": "",
        "officer": "",
        "witness": "",
    }
)
ROLES: Final = frozenset({"patient", "relative", "other_relative", *_STAFF, *_NURSES, *_OTHERS})


@dataclass(frozen=True)
class Address:
    """A postal address in its parts."""

    street: str
    unit: str
    city: str
    state: str
    zip: str

    @property
    def line(self) -> str:
        return f"{self.street}, {self.city}, {self.state} {self.zip}"


class Cast:
    """What one note draws from; the same name always gives the same value."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._drawn: dict[str, str] = {}
        random = values.random
        self.patient = make_person(values)
        family = self.patient.last if random.random() < 0.6 else None
        self._people = {
            "patient": self.patient,
            "relative": make_person(values, last=family, relation=True),
            "other_relative": make_person(values, relation=True),
            **{role: make_person(values, degrees="degrees") for role in _STAFF},
            **{role: make_person(values, degrees="nurse_degrees") for role in _NURSES},
        }
        self.today = date(2014, 1, 1) + timedelta(days=random.randrange(4_000))
        old = random.random() < _SHARE_OF_OLD
        self.age = random.randint(90, 104) if old else random.randint(19, 89)
        self.elder_age = random.randint(82, 101)
        stay = random.randint(2, 12)
        self.days: Mapping[str, date] = {
            "dob": _birthday(self.today, self.age, random.randrange(364)),
            "today": self.today,
            "admitted": self.today - timedelta(days=stay),
            "surgery": self.today - timedelta(days=stay - 1),
            "prior": self.today - timedelta(days=random.randint(20, 900)),
            "earlier": self.today - timedelta(days=random.randint(900, 4_000)),
            "follow_up": self.today + timedelta(days=random.randint(3, 60)),
        }
        self.addresses: Mapping[str, Address] = {
            "address": _address(values),
            "other_address": _address(values),
        }

    def person(self, role: str) -> Person:
        """Who has the part called `role`, one of `ROLES`."""
        if role not in self._people:
            self._people[role] = make_person(self._values, degrees=_OTHERS[role])
        return self._people[role]

    def number(self, name: str, kind: str) -> str:
        """The number called `name`, of the `kind` that `NUMBERS` lists."""
        if name not in self._drawn:
            self._drawn[name] = NUMBERS[kind](self._values)
        return self._drawn[name]

    def text(self, name: str, list_name: str) -> str:
        """The entry called `name` of a list of values."""
        if name not in self._drawn:
            self._drawn[name] = self._values.text(list_name)
        return self._drawn[name]

    def known(self) -> KnownIdentifiers:
        """What a hospital sends along: names of patient, relatives and attending, birth date, record number,
        telephone and address. Not the accounts, devices and accessions that only the note holds."""
        telephone = self.number("phone", "telephone")
        return KnownIdentifiers(
            names=(self.patient.full,),
            relatives=(self._people["relative"].full, self._people["other_relative"].full),
            staff=(self._people["attending"].full,),
            mrns=(self.number("mrn", "mrn"),),
            dates_of_birth=(self.days["dob"].isoformat(),),
            addresses=(self.addresses["address"].line,),
            phones=(f"{telephone[:3]}-{telephone[3:6]}-{telephone[6:]}",),
        )


def _birthday(today: date, age: int, days_since: int) -> date:
    """A day on which somebody of `age` years was born, `days_since` their last birthday."""
    last = today - timedelta(days=days_since)
    return last.replace(year=last.year - age, day=min(last.day, 28))


def _address(values: Values) -> Address:
    random = values.random
    city, state, zip_code = values.draw("cities")
    street = f"{random.randint(3, 19_999)} {values.text('streets')} {values.text('street_kinds')}"
    other = random.random()
    if other < 0.08:
        street = f"P.O. Box {values.digits(4)}"
    elif other < 0.14:
        street = f"RR {random.randint(1, 9)} Box {values.digits(3)}"
    unit = values.text("units") if random.random() < 0.4 else ""
    return Address(street, unit, city, state, zip_code)
