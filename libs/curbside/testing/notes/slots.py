"""What a template's slot writes, and which of it is PHI.

A slot is `name` or `name:style`; `name:one/another` picks a style. Pieces are PHI of a category, plain text,
or neutral: parts that Safe Harbor does not list but nobody minds losing with their neighbour (a degree behind
a name, a state in an address).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from random import Random
from types import MappingProxyType
from typing import Final

from curbside.phi import Category
from curbside.testing.notes.cast import ROLES, Address, Cast
from curbside.testing.notes.dates import DATE_STYLES
from curbside.testing.notes.numbers import PHONE_STYLES, SSN_STYLES
from curbside.testing.notes.people import NAME_STYLES
from curbside.wording import in_words, ordinal, ordinal_in_words

_OLDEST_THAT_IS_TOLD: Final = 89  # 45 CFR 164.514(b)(2)(i)(C): ages over 89


class UnknownSlot(ValueError):
    """A template names a slot or a style that nobody writes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a note; `marked` with no category is neutral."""

    text: str
    category: Category | None = None
    marked: bool = False


@dataclass(frozen=True)
class Scene:
    """One note's cast, with the styles that it keeps to."""

    cast: Cast
    date_style: str
    phone_style: str
    random: Random


def phi(text: str, category: Category) -> Piece:
    return Piece(text, category, marked=True)


def neutral(text: str) -> Piece:
    return Piece(text, None, marked=True)


_NUMBERS: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "mrn": Category.MRN,
        "account": Category.ACCOUNT,
        "card": Category.ACCOUNT,
        "encounter": Category.OTHER_ID,
        "accession": Category.OTHER_ID,
        "specimen": Category.OTHER_ID,
        "order": Category.OTHER_ID,
        "job": Category.OTHER_ID,
        "study": Category.OTHER_ID,
        "claim": Category.OTHER_ID,
        "policy": Category.HEALTH_PLAN,
        "group": Category.HEALTH_PLAN,
        "medicare": Category.HEALTH_PLAN,
        "medicaid": Category.HEALTH_PLAN,
        "license": Category.LICENSE,
        "driver": Category.LICENSE,
        "dea": Category.LICENSE,
        "npi": Category.LICENSE,
        "plate": Category.VEHICLE,
        "vin": Category.VEHICLE,
        "serial": Category.DEVICE,
        "udi": Category.DEVICE,
        "biometric": Category.BIOMETRIC,
        "photo": Category.PHOTO,
        "ip": Category.IP,
        "mac": Category.DEVICE,
        "tracking": Category.OTHER_ID,
        "prescription": Category.OTHER_ID,
        "badge": Category.OTHER_ID,
        "donor": Category.OTHER_ID,
        "block": Category.OTHER_ID,
        "defense": Category.OTHER_ID,
        "reference": Category.OTHER_ID,
        "passport": Category.LICENSE,
        "parking": Category.VEHICLE,
        "boat": Category.VEHICLE,
        "foreign_phone": Category.PHONE,
        "pager": Category.PHONE,
        "extension": Category.PHONE,
        "short": Category.PHONE,
    }
)
_TELEPHONES: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "phone": Category.PHONE,
        "cell": Category.PHONE,
        "office": Category.PHONE,
        "relative_phone": Category.PHONE,
        "fax": Category.FAX,
    }
)
_LISTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "plan": "plans",
        "maker": "makers",
        "vehicle": "vehicles",
        "eponym": "eponyms",
        "eponym2": "eponyms",
        "drug": "drugs",
        "drug2": "drugs",
        "drug3": "drugs",
        "labs": "labs",
        "labs2": "labs",
        "vitals": "vitals",
        "complaint": "complaints",
        "diagnosis": "diagnoses",
        "diagnosis2": "diagnoses",
        "procedure": "procedures",
        "study_name": "studies",
    }
)
_PRONOUNS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "he": ("he", "she"),
        "He": ("He", "She"),
        "his": ("his", "her"),
        "His": ("His", "Her"),
        "him": ("him", "her"),
        "man": ("man", "woman"),
        "gentleman": ("gentleman", "lady"),
        "male": ("male", "female"),
        "sex": ("M", "F"),
        "title": ("Mr.", "Ms."),
        "bare_title": ("Mr", "Mrs"),
        "caps_title": ("MR.", "MRS."),
    }
)


def write(slot: str, scene: Scene) -> list[Piece]:
    """The pieces of `slot`. Raises UnknownSlot."""
    name, _, styles = slot.partition(":")
    style = scene.random.choice(styles.split("/")) if styles else ""
    cast = scene.cast
    try:
        if name in ROLES:
            return [phi(NAME_STYLES[style or "full"](cast.person(name)), Category.NAME)]
        if name in cast.days:
            return _day(DATE_STYLES[style or scene.date_style](cast.days[name]), style)
        kind = name.removesuffix("2")  # another one of the same kind
        if kind in _NUMBERS:
            return [phi(cast.number(name, kind), _NUMBERS[kind])]
        if name in _TELEPHONES:
            spelt = PHONE_STYLES[style or scene.phone_style](cast.number(name, "telephone"))
            return [phi(spelt, _TELEPHONES[name])]
        if name in _LISTS:
            return [Piece(cast.text(name, _LISTS[name]))]
        if name in _PRONOUNS:
            return [Piece(_PRONOUNS[name][cast.patient.female])]
        if name in cast.addresses:
            return _ADDRESS_STYLES[style or "line"](cast.addresses[name])
        return _OTHERS[name](scene, style)
    except KeyError:
        raise UnknownSlot(f"no slot or style is called {slot!r}") from None


def _day(text: str, style: str) -> list[Piece]:
    return [Piece(text) if style == "year" else phi(text, Category.DATE)]


def _age(scene: Scene, style: str) -> list[Piece]:
    return _of_age(scene.cast.age, style or "hyphen", scene.cast.patient.female)


def _elder_age(scene: Scene, style: str) -> list[Piece]:
    return _of_age(scene.cast.elder_age, style or "number", True)


def _ordinal_of_age(age: int) -> str:
    tens = "one hundred and" if age > 100 else "ninety"
    if age % 10 == 0:
        return "one hundredth" if age == 100 else "ninetieth"
    return f"{tens}{' ' if age > 100 else '-'}{ordinal_in_words(age % 10)}"


_OLD_STYLES: Final[Mapping[str, Callable[[int], str]]] = MappingProxyType(
    {
        "number": str,
        "words": in_words,
        "ordinal": ordinal,
        "ordinal_words": _ordinal_of_age,
        "months": lambda age: f"{12 * age:,}",
        "decade": lambda age: f"{age // 10 * 10}s",
        "decade_words": lambda age: "nineties" if age < 100 else "hundreds",
        "noun": lambda age: "nonagenarian" if age < 100 else "centenarian",
    }
)


def _old_age(scene: Scene, style: str) -> list[Piece]:
    """An age that Safe Harbor always lists, without what a sentence says around it."""
    return [phi(_OLD_STYLES[style or "number"](90 + scene.cast.elder_age % 14), Category.AGE)]


def _of_age(age: int, style: str, female: bool) -> list[Piece]:
    number, rest = {
        "number": (str(age), ""),
        "hyphen": (str(age), "-year-old"),
        "spaced": (str(age), " year old"),
        "years": (str(age), " years"),
        "yo": (str(age), " y.o."),
        "slash": (str(age), " y/o"),
        "tight": (f"{age}yo", ""),
        "glued": (f"{age}{'F' if female else 'M'}", ""),
        "words": (in_words(age), ""),
        "words_hyphen": (in_words(age), "-year-old"),
        "months": (str(12 * age), " months"),
    }[style]
    if age <= _OLDEST_THAT_IS_TOLD:
        return [Piece(number + rest)]
    return [phi(number, Category.AGE), *([neutral(rest)] if rest else [])]


_ROAD: Final = re.compile(r"^\d+ ")


def _full_address(address: Address, before_unit: str, before_city: str) -> list[Piece]:
    unit = before_unit + address.unit if address.unit else ""
    return [
        phi(f"{address.street}{unit}{before_city}{address.city}", Category.LOCATION),
        neutral(f", {address.state} "),
        phi(address.zip, Category.LOCATION),
    ]


_ADDRESS_STYLES: Final[Mapping[str, Callable[[Address], list[Piece]]]] = MappingProxyType(
    {
        "line": lambda a: _full_address(a, ", ", ", "),
        "lines": lambda a: _full_address(a, " ", "\n"),
        "block": lambda a: _full_address(a, "\n", "\n"),
        "street": lambda a: [phi(a.street, Category.LOCATION)],
        "city": lambda a: [phi(a.city, Category.LOCATION)],
        "caps_city": lambda a: [phi(a.city.upper(), Category.LOCATION)],
        "city_state": lambda a: [phi(a.city, Category.LOCATION), neutral(f", {a.state}")],
        "zip": lambda a: [phi(a.zip, Category.LOCATION)],
        "road": lambda a: [phi(_ROAD.sub("", a.street), Category.LOCATION)],
        "no_commas": lambda a: _full_address(a, " ", " "),
        "town_line": lambda a: [phi(f"{a.street}\n{a.city}", Category.LOCATION)],
        "caret": lambda a: [
            phi(f"{a.street}^{a.unit}^{a.city}".upper(), Category.LOCATION),
            neutral(f"^{a.state}^"),
            phi(a.zip, Category.LOCATION),
        ],
    }
)


def _facility(scene: Scene, name: str, style: str) -> list[Piece]:
    value = scene.cast.text(name, "facilities")
    if style == "caps":
        value = value.upper()
    elif style == "short":
        value = " ".join(value.split()[:2])
    return [phi(value, Category.FACILITY)]


def _ssn(scene: Scene, style: str) -> list[Piece]:
    number = scene.cast.number("ssn", "ssn")
    if style == "masked":
        return [neutral("xxx-xx-"), phi(number[5:], Category.SSN)]
    if style == "stars":
        return [Piece("***-**-"), phi(number[5:], Category.SSN)]
    return [phi(SSN_STYLES[style or "dashed"](number), Category.SSN)]


_RANGES: Final[Mapping[str, Callable[[date, date], str]]] = MappingProxyType(
    {
        "figures": lambda a, b: f"{a.month}/{a.day}-{b.month}/{b.day}",
        "figures_spaced": lambda a, b: f"{a.month}/{a.day} - {b.month}/{b.day}",
        "abbreviated": lambda a, b: (
            f"{DATE_STYLES['month_day_short'](a)} - {DATE_STYLES['month_day_short'](b)}"
        ),
    }
)


def _range(scene: Scene, style: str) -> list[Piece]:
    first, last = scene.cast.days["admitted"], scene.cast.days["today"]
    if style == "months":
        month, other = (DATE_STYLES["month"](day) for day in (first, last))
        spelt = (
            f"{month} {first.day}-{last.day}, {last.year}"
            if month == other
            else f"{month} {first.day} - {other} {last.day}, {last.year}"
        )
        return [phi(spelt, Category.DATE)]
    if style in _RANGES:
        return [phi(_RANGES[style](first, last), Category.DATE)]
    if style == "short":
        return [
            phi(f"{first.month}/{first.day}-{last.month}/{last.day}/{last.year % 100:02d}", Category.DATE)
        ]
    start, end = (DATE_STYLES[scene.date_style](day) for day in (first, last))
    return [
        phi(start, Category.DATE),
        Piece(scene.random.choice((" - ", " to ", " through "))),
        phi(end, Category.DATE),
    ]


def _email(scene: Scene, style: str) -> list[Piece]:
    person = scene.cast.person("relative" if style == "relative" else "patient")
    user = re.sub(r"[^a-z.]", "", f"{person.first[0]}.{person.last}".casefold()) + scene.cast.number(
        "email", "pager"
    )
    host = scene.cast.text("domain", "domains")
    at, dot = {
        "spoken": (" at ", " dot "),
        "bracketed": ("[at]", "[dot]"),
        "paren": (" (at) ", " (dot) "),
        "spaced": (" @ ", "."),
        "tag": ("+appt@", "."),
    }.get(style, ("@", "."))
    return [phi(f"{user}{at}{host.replace('.', dot)}", Category.EMAIL)]


def _url(scene: Scene, style: str) -> list[Piece]:
    host, path = scene.cast.text("domain", "domains"), scene.cast.number("url", "job")
    forms = {
        "": f"https://portal.{host}/visits/{path}",
        "bare": f"www.{host}/{path}",
        "file": f"http://pacs.{host}/view?id={path}",
        "host": f"mychart.{host}",
        "deep": f"portal.{host}/p/{path}?v=2",
        "caps": f"WWW.{host.upper()}",
    }
    return [phi(forms[style], Category.URL)]


def _named(scene: Scene, style: str) -> list[Piece]:
    """A person whom the template itself names: "{named:Joy Hand/Art Long}" writes one of them."""
    return [phi(style, Category.NAME)]


def _degree(scene: Scene, style: str) -> list[Piece]:
    return [neutral(scene.cast.person(style).degree)]


def _relation(scene: Scene, style: str) -> list[Piece]:
    return [Piece(scene.cast.person(style or "relative").relation)]


def _ward(scene: Scene, style: str) -> list[Piece]:
    number = scene.cast.number("ward", "extension")
    return [neutral({"": f"Room {number}", "bed": f"Bed {number[:2]}", "unit": f"{number[0]} West"}[style])]


def _time(scene: Scene, style: str) -> list[Piece]:
    hour, minute = scene.random.randrange(24), scene.random.randrange(60)
    if style == "military":
        return [neutral(f"{hour:02d}{minute:02d}")]
    if style == "noon":
        return [neutral(f"{hour % 12 or 12}:{minute:02d} {'PM' if hour >= 12 else 'AM'}")]
    return [neutral(f"{hour:02d}:{minute:02d}")]


_OTHERS: Final[Mapping[str, Callable[[Scene, str], list[Piece]]]] = MappingProxyType(
    {
        "age": _age,
        "elder_age": _elder_age,
        "ssn": _ssn,
        "range": _range,
        "email": _email,
        "url": _url,
        "named": _named,
        "degree": _degree,
        "relation": _relation,
        "ward": _ward,
        "time": _time,
        "facility": lambda scene, style: _facility(scene, "facility", style),
        "other_facility": lambda scene, style: _facility(scene, "other_facility", style),
        "old_age": _old_age,
        "place": lambda _, style: [phi(style, Category.LOCATION)],
        "aside": lambda _, style: [neutral(style)],
        "house": lambda _, style: [phi(style, Category.FACILITY)],
        "county": lambda scene, _: [
            phi(f"{scene.cast.text('county', 'counties')} County", Category.LOCATION)
        ],
        "holiday": lambda scene, _: [phi(scene.cast.text("holiday", "holidays"), Category.DATE)],
        "year": lambda scene, _: [Piece(str(scene.cast.days["earlier"].year))],
    }
)
