"""Surrogates of places and facilities, and places cut down to what Safe Harbor lets stay."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, small_zip_areas
from curbside_deidentification.domain.replacement.keyed import Keyed
from curbside_deidentification.domain.replacement.ledger import Ledger
from curbside_deidentification.domain.replacement.mapping import folded
from curbside_deidentification.domain.replacement.names import cased
from curbside_deidentification.domain.replacement.numbers import shaped
from curbside_deidentification.domain.replacement.words import lines, states

_PIECE: Final = re.compile(r"[^\W\d_]+(?:['’.-]+[^\W\d_]+)*\.?|[\w-]*\d[\w-]*")
_ORDINAL: Final = re.compile(r"(\d{1,3})(?:st|nd|rd|th)", re.IGNORECASE)
# USPS Publication 28, appendices C1 and C2: what says that a street or a unit stands beside it.
_SUFFIXES: Final = frozenset(
    """
    street st avenue ave road rd boulevard blvd drive dr lane ln court ct place pl circle cir way terrace ter
    parkway pkwy highway hwy square sq trail trl loop crescent cres alley plaza pike turnpike row path ridge
    run crossing heights hollow mews close
    """.split()  # noqa: SIM905
)
_KEPT: Final = frozenset(
    """
    apt apartment suite ste unit floor fl bldg building rm room box p.o po p o county city town of the in near
    and n s e w ne nw se sw north south east west
    """.split()  # noqa: SIM905
)
_ZIP: Final = re.compile(r"(?<!\d)(\d{5})(?:-\d{4})?(?!\d)")
# What ends the name of a facility, beside the generic words of a place of care.
_KINDS: Final = frozenset(
    {"hosp", "ctr", "med", "icu", "er", "ed", "inc", "llc", "group", "health", "lab", "labs"}
)


def place_surrogate(mention: str, keyed: Keyed, ledger: Ledger, attempt: int) -> str | None:
    """House numbers and ZIP codes drawn anew; streets and towns become others; a state at the end stays."""
    state = _state_at_end(mention)
    pieces = list(_PIECE.finditer(mention))
    written: list[str] = []
    reached = place = 0
    while place < len(pieces):
        piece = pieces[place]
        end = piece.end()
        if state is not None and state[0] <= piece.start() < state[1]:
            new: str | None = piece[0]
        elif any(character.isdigit() for character in piece[0]):
            new = _number(piece[0], mention, keyed, attempt)
        elif _stays(piece[0]) and not _alone(pieces):
            new = piece[0]
        else:
            place, end = _run(mention, pieces, place, state)
            street = place + 1 < len(pieces) and _bare(pieces[place + 1][0]) in _SUFFIXES
            original = mention[piece.start() : end]
            pool = "streets" if street and any(c.isdigit() for c in mention[: piece.start()]) else "towns"
            new = _part(original, pool, Category.LOCATION, keyed, ledger, attempt)
            if new is not None and place + 1 < len(pieces) and not street and original.endswith("."):
                new += "."
        if new is None:
            return None
        written += (mention[reached : piece.start()], new)
        reached, place = end, place + 1
    return "".join((*written, mention[reached:])) if pieces else None


def facility_surrogate(mention: str, keyed: Keyed, ledger: Ledger, attempt: int) -> str | None:
    """The facility's own name becomes another; "Hospital", "Medical Center" stay."""
    own = [piece for piece in _PIECE.finditer(mention) if not _is_generic(piece[0])]
    numbers = [piece for piece in own if any(character.isdigit() for character in piece[0])]
    named = [piece for piece in own if piece not in numbers]
    if not named:
        first = _part(mention, "facilities", Category.FACILITY, keyed, ledger, attempt)
        last = mention.split()[-1:] if mention.split()[1:] else []
        return None if first is None else " ".join((first, *last))
    start, end = named[0].start(), named[0].end()
    for piece in named[1:]:
        if mention[end : piece.start()].strip():
            break
        end = piece.end()
    new = _part(mention[start:end], "facilities", Category.FACILITY, keyed, ledger, attempt)
    if new is None:
        return None
    # Whatever else is the facility's own goes without another in its place.
    rest = mention[end:]
    for piece in reversed([piece for piece in own if piece.start() >= end]):
        fresh = shaped(piece[0], keyed, "facility", folded(mention), attempt) if piece in numbers else ""
        rest = rest[: piece.start() - end] + fresh + rest[piece.end() - end :]
    before = (
        shaped(mention[:start], keyed, "facility", folded(mention), attempt)
        if _digits(mention[:start])
        else (mention[:start])
    )
    return (before + new + re.sub(r"[ ]{2,}", " ", rest)).strip()


def generalised_place(mention: str, tag: str) -> str:
    """The state and the first three digits of the ZIP code, or 000 where too few people share these.

    45 CFR 164.514(b)(2)(i)(B). Where nothing else stands beside them, they stand alone, else behind `tag`.
    """
    state = _state_at_end(mention)
    zipped = _ZIP.search(mention, state[1]) if state is not None else _ZIP.fullmatch(mention.strip())
    kept = [mention[state[0] : state[1]]] if state is not None else []
    if zipped is not None:
        prefix = zipped[1][:3]
        kept.append("000" if prefix in small_zip_areas() else prefix)
    if not kept:
        return tag
    rest = mention[: state[0]] if state is not None else ""
    return ", ".join([tag, " ".join(kept)]) if rest.strip(" ,") else " ".join(kept)


def generalised_age(mention: str) -> str:
    """Any age over 89: 45 CFR 164.514(b)(2)(i)(C)."""
    return "90 OR OLDER" if mention.isupper() else "90 or older"


def _state_at_end(mention: str) -> tuple[int, int] | None:
    """Where a state stands behind a comma or before a ZIP code, or alone with it."""
    names = "|".join(sorted(map(re.escape, states()), key=len, reverse=True))
    pattern = (
        rf"(?:,\s*|\s+(?=[A-Z]{{2}}\b\.?,?\s+\d{{5}})|^)(?P<state>{names}|{'|'.join(states().values())})"
        r"\b\.?,?\s*(?:\d{5}(?:-\d{4})?)?\s*$"
    )
    found = re.search(pattern, mention)
    if found is None or (found.start() == 0 and found["state"] == mention.strip(" .")):
        return None  # alone it may be a town: Washington, New York
    return found.span("state")


def _number(piece: str, mention: str, keyed: Keyed, attempt: int) -> str:
    if _ORDINAL.fullmatch(piece):
        return f"{4 + keyed.number('ordinal', folded(piece), attempt) % 17}th"
    return shaped(piece, keyed, "place", folded(piece), attempt)


def _run(
    mention: str, pieces: list[re.Match[str]], place: int, state: tuple[int, int] | None
) -> tuple[int, int]:
    """The last piece of the name that begins at `place`, and where it ends."""
    while place + 1 < len(pieces):
        following = pieces[place + 1]
        between = mention[pieces[place].end() : following.start()]
        in_state = state is not None and state[0] <= following.start() < state[1]
        digits = any(character.isdigit() for character in following[0])
        if between.strip(" -") or "\n" in between or in_state or digits:
            break
        if _bare(following[0]) in _SUFFIXES or _stays(following[0]):
            break
        place += 1
    return place, pieces[place].end()


def _part(
    original: str, pool: str, category: Category, keyed: Keyed, ledger: Ledger, attempt: int
) -> str | None:
    name = folded(original)
    new = ledger.part(category, name) if not attempt else None
    if new is None:
        candidates = keyed.walk(lines(pool), category, pool, name, attempt)
        new = next(
            (
                candidate
                for candidate in candidates
                if folded(candidate)[0] != name[0] and ledger.allows_part(category, name, candidate)
            ),
            None,
        )
        if new is None:
            return None
        ledger.keep_part(category, name, new)
    return cased(new, original)


def _bare(piece: str) -> str:
    return folded(piece).strip(".")


def _stays(piece: str) -> bool:
    return _bare(piece) in _KEPT or _bare(piece) in _SUFFIXES


def _alone(pieces: list[re.Match[str]]) -> bool:
    return all(_stays(piece[0]) for piece in pieces)


def _is_generic(piece: str) -> bool:
    return _bare(piece) in GENERIC or _bare(piece) in _KINDS


def _digits(text: str) -> bool:
    return any(character.isdigit() for character in text)
