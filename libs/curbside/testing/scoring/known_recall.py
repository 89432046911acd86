"""How many of the identifiers that travel with a report are found where they occur in text.

Subjects are read from FHIR `Patient` resources and HL7 v2 `PID` segments. Each is looked for twice: in the
message itself, wherever one of its identifiers stands; and in short notes that write the identifiers as
clinicians do. A token is a run of letters and digits; it is found where a span covers any of it, and a bare
year counts neither way (45 CFR 164.514(b)(2)(i)(C)), as in the project's other scores.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from curbside.testing.reports.identities import KnownIdentifiers, spell

# What a finder gets and gives: a text with its known identifiers, and the spans it would remove.
Find = Callable[[str, KnownIdentifiers], Iterable[tuple[int, int]]]

_TOKEN: Final = re.compile(r"[^\W_]+")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_STYLES: Final = ("us", "iso", "long", "short", "european", "military")
# What test messages write where an identifier would stand: "<deidentified>", "PIDADD!", "test".
_FILLER: Final = re.compile(r"[<>!]|deidentified|^test$|^.?$", re.IGNORECASE)
_SEGMENT_ENDS: Final = re.compile(r"[\r\n]+")
# HL7 v2.5.1, table 0201: the use of a telecommunication; NET is an address on the Internet.
_INTERNET: Final = "NET"


@dataclass(frozen=True)
class Subject:
    """One person as a source describes them, and the message that did."""

    known: KnownIdentifiers
    message: str
    born: date | None = None

    def __repr__(self) -> str:
        return "Subject(…)"


@dataclass(frozen=True)
class Mention:
    """`text[start:end]` is an identifier of the kind."""

    start: int
    end: int
    kind: str


@dataclass
class KnownRecall:
    """Tokens found of those there are, by kind; `missed` holds what was not: for a developer's eyes only."""

    found: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    texts: int = 0
    texts_with_a_leak: int = 0
    removed_beside: int = 0  # tokens in spans that are no identifier of the subject

    @property
    def recall(self) -> float:
        return self.found.total() / self.total.total() if self.total else 1.0

    @property
    def zero_leak(self) -> float:
        return 1 - self.texts_with_a_leak / self.texts if self.texts else 1.0

    def summary(self) -> dict[str, float | int]:
        kinds = {f"recall_{kind}": self.found[kind] / count for kind, count in sorted(self.total.items())}
        return {
            "recall": self.recall,
            "tokens": self.total.total(),
            "texts": self.texts,
            "zero_leak": self.zero_leak,
            "removed_beside": self.removed_beside,
            **kinds,
        }


def known_recall(texts: Iterable[tuple[str, KnownIdentifiers, list[Mention]]], find: Find) -> KnownRecall:
    """What `find` finds of the mentions in each of `texts`."""
    score = KnownRecall()
    for text, known, mentions in texts:
        spans = list(find(text, known))
        covered = {at for start, end in spans for at in range(start, end)}
        gold = {at for mention in mentions for at in range(mention.start, mention.end)}
        leaked = False
        for mention in mentions:
            for token in _TOKEN.finditer(text, mention.start, mention.end):
                if _YEAR.fullmatch(token[0]):
                    continue
                score.total[mention.kind] += 1
                if covered.isdisjoint(range(*token.span())):
                    leaked = True
                    around = text[max(0, token.start() - 20) : token.end() + 20]
                    score.missed.append(f"{mention.kind}: {token[0]} in {around!r}")
                else:
                    score.found[mention.kind] += 1
        score.texts += 1
        score.texts_with_a_leak += leaked
        score.removed_beside += sum(
            gold.isdisjoint(range(*token.span())) and not covered.isdisjoint(range(*token.span()))
            for token in _TOKEN.finditer(text)
        )
    return score


def in_messages(subjects: Iterable[Subject]) -> Iterator[tuple[str, KnownIdentifiers, list[Mention]]]:
    """Each subject's message with every place where an identifier stands in it as its source spells it."""
    for subject in subjects:
        if mentions := list(_occurrences(subject.message, subject.known)):
            yield subject.message, subject.known, mentions


def in_notes(subjects: Iterable[Subject]) -> Iterator[tuple[str, KnownIdentifiers, list[Mention]]]:
    """Each subject's identifiers as clinicians write them, one note in each style of a date."""
    for subject in subjects:
        for number, style in enumerate(_STYLES):
            note = _Note()
            _write(note, subject, style, number)
            yield note.text, subject.known, note.mentions


def _occurrences(text: str, known: KnownIdentifiers) -> Iterator[Mention]:
    values: dict[str, str] = {}
    for kind, group in (
        ("name", known.names + known.relatives),
        ("address", known.addresses),
        ("number", known.mrns + known.numbers),
        ("date", known.dates_of_birth),
        ("phone", known.phones),
        ("email", known.emails),
    ):
        for value in group:
            for piece in _pieces(kind, value):
                values.setdefault(piece, kind)
    for value, kind in values.items():
        for match in re.finditer(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", text):
            yield Mention(match.start(), match.end(), kind)


def _pieces(kind: str, value: str) -> Iterator[str]:
    """What of a value says by itself that it is the subject's: of an address its street, town and code."""
    if kind == "name":
        yield from (part for part in re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", value) if len(part) > 2)
    elif kind == "date":
        yield value
        yield value.replace("-", "")
    elif kind == "address":
        street, *others = value.split(", ")
        # A state is no identifier: 45 CFR 164.514(b)(2)(i)(B) names what is smaller.
        *towns, region = others or [""]
        yield from (part for part in (street, *towns, *re.findall(r"\d[\d-]+", region)) if len(part) > 3)
    else:
        yield value


class _Note:
    """A text under construction that remembers where its identifiers are."""

    def __init__(self) -> None:
        self.text = ""
        self.mentions: list[Mention] = []

    def say(self, words: str, phi: str = "", kind: str = "") -> None:
        self.text += words
        if phi:
            self.mentions.append(Mention(len(self.text), len(self.text) + len(phi), kind))
            self.text += phi


def _write(note: _Note, subject: Subject, style: str, number: int) -> None:
    known = subject.known
    for name in known.names[:1]:
        *given, family = name.split()
        forms = (
            name,
            f"{family}, {' '.join(given)}" if given else family,
            name.upper(),
            f"{given[0][0]}. {family}" if given else family,
            f"{family.upper()}, {' '.join(given).upper()}" if given else family.upper(),
            name.lower(),
        )
        note.say("Patient: ", forms[number], "name")
        note.say(" was seen today. Mr./Ms. ", family, "name")
        note.say(" denies chest pain. ", f"{family}", "name")
        note.say("'s wound is clean. The lungs are clear; told ", given[0] if given else family, "name")
        note.say(" to return in two weeks.\n")
    if subject.born is not None:
        note.say("Date of birth ", spell(subject.born, style), "date")
        note.say(". ")
    for mrn in known.mrns:
        note.say("MRN ", (mrn, mrn.lower(), mrn.upper())[number % 3], "number")
        note.say("; ")
    for value in known.numbers:
        written = (value, value.replace("-", ""), value.replace("-", " "))[number % 3]
        note.say("identifier ", written, "number")
        note.say("; ")
    for phone in known.phones:
        digits = re.sub(r"\D", "", phone)
        grouped = f"{digits[:3]}-{digits[3:6]}-{digits[6:]}" if len(digits) == 10 else phone
        note.say("reached at ", (phone, grouped, grouped.replace("-", "."))[number % 3], "phone")
        note.say(". ")
    for address in known.addresses:
        street, *others = address.split(", ")
        note.say("Lives at ", (address, street, street.upper())[number % 3], "address")
        note.say(" with family. ")
        for town in (other for other in others[:-1] if len(other) > 2):
            note.say("Moved to ", town, "address")
            note.say(" last year. ")
    for email in known.emails:
        note.say("Write to ", (email, email.upper(), email)[number % 3], "email")
        note.say(". ")
    note.say("Hemoglobin 13.2 g/dL, platelets 250 K/uL. Follow up as needed.\n")


def subjects_of_fhir(bundle: Mapping[str, Any]) -> Iterator[Subject]:
    """The patients of a FHIR R4 bundle, or of one resource."""
    resources = [entry.get("resource", {}) for entry in bundle.get("entry", ())] or [bundle]
    for resource in resources:
        if resource.get("resourceType") == "Patient":
            born = str(resource.get("birthDate", ""))
            yield Subject(
                known=_without_filler(_of_patient(resource)),
                message=json.dumps(resource, ensure_ascii=False, indent=1),
                born=_iso(born),
            )


def _of_patient(patient: Mapping[str, Any]) -> KnownIdentifiers:
    identifiers: dict[str, list[str]] = {"mrns": [], "numbers": []}
    for identifier in patient.get("identifier", ()):
        if value := str(identifier.get("value", "")):
            codes = {coding.get("code") for coding in identifier.get("type", {}).get("coding", ())}
            identifiers["mrns" if "MR" in codes else "numbers"].append(value)
    mrns = tuple(dict.fromkeys(identifiers["mrns"]))
    telecoms = [
        (one.get("system"), str(one["value"])) for one in patient.get("telecom", ()) if one.get("value")
    ]
    contacts = [name for contact in patient.get("contact", ()) for name in (contact.get("name"),) if name]
    return KnownIdentifiers(
        names=tuple(filter(None, map(_human_name, patient.get("name", ())))),
        relatives=(
            *filter(None, map(_human_name, contacts)),
            *(
                str(extension["valueString"])
                for extension in patient.get("extension", ())
                if str(extension.get("url", "")).endswith("patient-mothersMaidenName")
            ),
        ),
        mrns=mrns,
        numbers=tuple(value for value in dict.fromkeys(identifiers["numbers"]) if value not in mrns),
        dates_of_birth=(str(patient["birthDate"]),) if patient.get("birthDate") else (),
        addresses=tuple(filter(None, map(_fhir_address, patient.get("address", ())))),
        phones=tuple(value for system, value in telecoms if system in {"phone", "fax"}),
        emails=tuple(value for system, value in telecoms if system == "email"),
    )


def _without_filler(known: KnownIdentifiers) -> KnownIdentifiers:
    """`known` without values that identify nobody; a name needs two letters in each of its ends."""

    def kept(values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(value for value in values if not _FILLER.search(value))

    return KnownIdentifiers(
        names=tuple(name for name in kept(known.names) if len(name.split()[0]) > 1 < len(name.split()[-1])),
        relatives=kept(known.relatives),
        mrns=kept(known.mrns),
        numbers=kept(known.numbers),
        dates_of_birth=known.dates_of_birth,
        addresses=kept(known.addresses),
        phones=kept(known.phones),
        emails=kept(known.emails),
    )


def _human_name(name: Mapping[str, Any]) -> str:
    parts = [*name.get("given", ()), name.get("family")]
    return " ".join(filter(None, parts)) or str(name.get("text", ""))


def _fhir_address(address: Mapping[str, Any]) -> str:
    region = " ".join(filter(None, (address.get("state"), address.get("postalCode"))))
    return ", ".join(filter(None, (*address.get("line", ()), address.get("city"), region)))


def subjects_of_hl7(message: str) -> Iterator[Subject]:
    """The subject of each PID segment of an HL7 v2 message or batch, with the message around it."""
    for whole in re.split(r"(?m)^(?=MSH\|)", re.sub(r"\r\n?", "\n", message)):
        for segment in _SEGMENT_ENDS.split(whole):
            if segment.startswith("PID|"):
                fields = segment.split("|")
                fields += [""] * (31 - len(fields))
                yield Subject(known=_without_filler(_of_pid(fields)), message=whole, born=_hl7_day(fields[7]))


def _of_pid(fields: list[str]) -> KnownIdentifiers:
    """HL7 v2.5.1, 3.4.2: PID-3 and 18 identifiers, 5 and 9 names, 6 the mother's maiden name, 7 birth, 11
    addresses, 13 and 14 telecommunication, 19 and 20 national numbers."""
    telecoms = [part.split("^") for number in (13, 14) for part in fields[number].split("~") if part]
    internet = [part for part in telecoms if _INTERNET in part[1:2] or "Internet" in part[2:3]]
    others = [part for part in telecoms if part not in internet]
    numbers = [*(part.split("^")[0] for part in fields[18].split("~")), fields[19], fields[20].split("^")[0]]
    return KnownIdentifiers(
        names=tuple(filter(None, (_hl7_name(part) for n in (5, 9) for part in fields[n].split("~")))),
        relatives=tuple(filter(None, map(_hl7_name, fields[6].split("~")))),
        mrns=tuple(value for part in fields[3].split("~") if len(value := part.split("^")[0]) > 3),
        numbers=tuple(value for value in numbers if len(value) > 3),
        dates_of_birth=(fields[7],) if _hl7_day(fields[7]) else (),
        addresses=tuple(filter(None, map(_hl7_address, fields[11].split("~")))),
        phones=tuple(value for part in others for value in (_hl7_phone(part),) if value),
        emails=tuple(value for part in internet for value in part[3:4] if "@" in value),
    )


def _hl7_name(part: str) -> str:
    family, *given = [component.split("&")[0] for component in part.split("^")[:3]]
    return " ".join(filter(None, (*given, family)))


def _hl7_address(part: str) -> str:
    components = [component.split("&")[0] for component in part.split("^")] + [""] * 5
    region = " ".join(filter(None, (components[3], components[4])))
    return ", ".join(filter(None, (components[0], components[1], components[2], region)))


def _hl7_phone(part: list[str]) -> str:
    if part[0]:
        return part[0]
    area, local = [*part[5:7], "", ""][:2]
    return area + local


def _hl7_day(value: str) -> date | None:
    return _iso(f"{value[:4]}-{value[4:6]}-{value[6:8]}") if len(value) >= 8 else None


def _iso(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
