"""Made-up people: a patient, those around them, and the identifiers that a record carries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from curbside.wording import MONTHS

_FIRST: Final = (
    "Amara",
    "Bertil",
    "Celia",
    "Dorian",
    "Edith",
    "Farid",
    "Greta",
    "Hollis",
    "Imani",
    "Jonas",
    "Katya",
    "Leopold",
    "Marisol",
    "Nadir",
    "Odette",
    "Percival",
    "Quentin",
    "Rosalind",
    "Sven",
    "Tamsin",
    "Ulrich",
    "Verena",
    "Winston",
    "Ximena",
    "Yusuf",
    "Zelda",
    "Anneliese",
    "Bartholomew",
    "Clementine",
    "Desmond",
    "Esperanza",
    "Fitzgerald",
)
_LAST: Final = (
    "Abernathy",
    "Blackwood",
    "Castellano",
    "Dunleavy",
    "Eriksen",
    "Fairweather",
    "Gutierrez",
    "Hathaway",
    "Ivanova",
    "Jankowski",
    "Kilpatrick",
    "Lindqvist",
    "Montgomery",
    "Nakamura",
    "O'Sullivan",
    "Petrosyan",
    "Quintanilla",
    "Rutherford",
    "Szymanski",
    "Thistlewood",
    "Underhill",
    "Vandenberg",
    "Whitcombe",
    "Yamashita",
    "Zimmerman",
    "Ashworth",
    "Bellweather",
    "Crowninshield",
    "Delacroix",
    "Featherstone",
)
_NICKNAMES: Final = (
    "Mimi",
    "Bert",
    "Cee",
    "Dory",
    "Edie",
    "Fitz",
    "Gigi",
    "Holly",
    "Izzy",
    "Jojo",
    "Kit",
    "Leo",
)
_STREETS: Final = (
    "Larkspur Lane",
    "Old Mill Road",
    "Juniper Street",
    "Harborview Drive",
    "Chestnut Avenue",
    "Quarry Hill Road",
)
_CITIES: Final = (
    ("Brookfield", "WI", "53005"),
    ("Ashland", "OR", "97520"),
    ("Marietta", "GA", "30060"),
    ("Concord", "NH", "03301"),
    ("Salina", "KS", "67401"),
    ("Bangor", "ME", "04401"),
    ("Provo", "UT", "84601"),
    ("Duluth", "MN", "55802"),
)
_FACILITIES: Final = (
    "Saint Brendan Medical Center",
    "Larkspur Valley Hospital",
    "Northgate Regional Hospital",
    "Quarry Hill Clinic",
    "Harborview Community Hospital",
    "Elmwood Memorial Hospital",
    "Pine Ridge Medical Center",
)


@dataclass(frozen=True)
class KnownIdentifiers:
    """What a source system says of patient, relatives and staff."""

    names: tuple[str, ...] = ()
    nicknames: tuple[str, ...] = ()
    relatives: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()
    mrns: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    dates_of_birth: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identity:
    """One made-up patient."""

    first: str
    last: str
    initial: str
    nickname: str
    relative: str
    birth: date
    mrn: str
    ssn: str
    phone: str
    fax: str
    email: str
    street: str
    city: str
    state: str
    zip: str
    account: str
    plan: str
    device: str
    old: bool  # 90 and over: the age itself is PHI


def make_identity(random: Random) -> Identity:
    first, last = random.choice(_FIRST), random.choice(_LAST)
    city, state, zip_code = random.choice(_CITIES)
    old = random.random() < 0.08
    birth = date(random.randint(1928, 1933) if old else random.randint(1940, 2001), 1, 1) + timedelta(
        random.randrange(365)
    )
    return Identity(
        first=first,
        last=last,
        initial=random.choice("ABCDEFGHJKLMNPRSTW"),
        nickname=random.choice(_NICKNAMES),
        relative=random.choice(_FIRST),
        birth=birth,
        mrn=str(random.randint(1_000_000, 99_999_999)),
        # 900-999 is never issued as an area number (SSA), so no real person is hit.
        ssn=f"9{random.randint(0, 99):02d}-{random.randint(10, 99)}-{random.randint(1000, 9999)}",
        # 555-01xx is reserved for fiction (NANPA).
        phone=f"({random.randint(201, 989)}) 555-01{random.randint(0, 99):02d}",
        fax=f"{random.randint(201, 989)}-555-01{random.randint(0, 99):02d}",
        email=f"{first}.{last}@example.org".casefold().replace("'", ""),
        street=f"{random.randint(11, 9899)} {random.choice(_STREETS)}",
        city=city,
        state=state,
        zip=zip_code,
        account=f"AC{random.randint(10_000_000, 99_999_999)}",
        plan=f"HP-{random.randint(100_000, 999_999)}-{random.randint(10, 99)}",
        device=f"SN{random.randint(1_000_000, 9_999_999)}",
        old=old,
    )


def make_doctor(random: Random) -> tuple[str, str]:
    return random.choice(_FIRST), random.choice(_LAST)


def make_facility(random: Random) -> str:
    return random.choice(_FACILITIES)


def known_of(identity: Identity, doctor: tuple[str, str]) -> KnownIdentifiers:
    return KnownIdentifiers(
        names=(f"{identity.first} {identity.last}",),
        nicknames=(identity.nickname,),
        relatives=(identity.relative,),
        staff=(f"{doctor[0]} {doctor[1]}",),
        mrns=(identity.mrn,),
        numbers=(identity.ssn, identity.account, identity.plan),
        dates_of_birth=(identity.birth.isoformat(),),
        addresses=(f"{identity.street}, {identity.city}, {identity.state} {identity.zip}",),
        phones=(identity.phone, identity.fax),
        emails=(identity.email,),
    )


def spell(day: date, style: str) -> str:
    """`day` as records write it; `style` is one of us, iso, long, short, european, military."""
    month = MONTHS[day.month - 1]
    return {
        "us": f"{day.month:02d}/{day.day:02d}/{day.year}",
        "iso": day.isoformat(),
        "long": f"{month} {day.day}, {day.year}",
        "short": f"{day.month}/{day.day}/{day.year % 100:02d}",
        "european": f"{day.day} {month} {day.year}",
        "military": f"{day.day:02d}-{month[:3]}-{day.year}",
    }[style]
