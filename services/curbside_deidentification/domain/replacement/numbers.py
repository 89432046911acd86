"""Surrogates of numbers and addresses of the network, from ranges that are nobody's where there are such."""

from __future__ import annotations

import re
import string
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.replacement.keyed import Keyed
from curbside_deidentification.domain.replacement.ledger import Ledger
from curbside_deidentification.domain.replacement.mapping import folded
from curbside_deidentification.domain.replacement.words import lines

# RFC 2606, section 3: names kept for examples.
_HOSTS: Final = ("example.com", "example.net", "example.org")
# RFC 5737: blocks kept for documentation. RFC 3849 for version 6.
_BLOCKS: Final = ("192.0.2", "198.51.100", "203.0.113")
_BLOCK_6: Final = "2001:db8"
_MAC: Final = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_URL: Final = re.compile(
    r"(?P<scheme>[a-z]{2,10}://)?(?P<www>www\.)?(?P<host>[^/?#\s]*)(?P<path>.*)", re.I | re.S
)
_TELEPHONES: Final = {Category.PHONE, Category.FAX}


def number_surrogate(
    category: Category, mention: str, keyed: Keyed, ledger: Ledger, attempt: int
) -> str | None:
    """Another of the same shape; the same number in another spacing becomes the same. None where none is."""
    if category is Category.EMAIL:
        return _email(mention, keyed, attempt)
    if category is Category.URL:
        return _url(mention, keyed, attempt)
    if category is Category.IP:
        return _ip(mention, keyed, attempt)
    return _shaped(category, mention, keyed, ledger, attempt)


def shaped(text: str, keyed: Keyed, *values: object) -> str:
    """`text` with every digit and letter drawn anew; what stands between them stays."""
    draws = keyed.numbers(*values)
    return "".join(_like(character, next(draws)) if character.isalnum() else character for character in text)


def _like(character: str, draw: int) -> str:
    if character.isdigit() or character.isnumeric():
        # A number keeps its length: none but a zero becomes a zero at a place where it would lose one.
        return str(draw % 10) if character == "0" else str(1 + draw % 9)
    letters = string.ascii_lowercase if character.islower() else string.ascii_uppercase
    return letters[draw % 26]


def _shaped(category: Category, mention: str, keyed: Keyed, ledger: Ledger, attempt: int) -> str | None:
    # Telephones have words in them ("ext."), other numbers letters that are part of them.
    changes = [
        place
        for place, character in enumerate(mention)
        if character.isdigit()
        or (category not in _TELEPHONES and character.isalnum() and not _masks(mention, place))
    ]
    original = "".join(mention[place] for place in changes)
    if not original:
        return None
    name = folded(original)
    new = ledger.part(category, name) if not attempt else None
    if new is None or len(new) != len(original):
        new = _drawn(category, mention, original, keyed, attempt)
        if folded(new) == name or not ledger.allows_part(category, name, new):
            return None
        ledger.keep_part(category, name, new)
    written = list(mention)
    for place, character in zip(changes, new, strict=True):
        lower = mention[place].islower()
        written[place] = character.lower() if lower else character
    return "".join(written)


def _masks(mention: str, place: int) -> bool:
    """Whether an X there hides a digit: "XXX-XX-1234"."""
    around = mention[max(0, place - 1) : place] + mention[place + 1 : place + 2]
    return mention[place] in "Xx" and mention[place] in around


def _drawn(category: Category, mention: str, original: str, keyed: Keyed, attempt: int) -> str:
    draws = keyed.numbers(category, folded(original), attempt)
    if category is Category.DEVICE and _MAC.fullmatch(mention):
        # IEEE 802, the locally administered bit: 02 is no maker's.
        rest = "".join("0123456789ABCDEF"[next(draws) % 16] for _ in range(10))
        return f"02{rest}"
    new = "".join(_like(character, next(draws)).upper() for character in original)
    if category in _TELEPHONES:
        return _fictional_telephone(new, original, draws_to=keyed.number(category, folded(original), attempt))
    if category is Category.SSN and len(new) == 9:
        # Areas 900 to 999 are never issued, and groups below 50 are no taxpayer number either (IRS, ITIN).
        return f"9{new[1:3]}{1 + int(new[3:5]) % 49:02}{new[5:]}"
    return new


def _fictional_telephone(new: str, original: str, *, draws_to: int) -> str:
    """NANP: 555-0100 to 555-0199 are kept for fiction (ATIS-0300115)."""
    country, local = ("1", new[1:]) if len(new) == 11 and original[0] == "1" else ("", new)
    line = f"55501{draws_to % 100:02}"
    if len(local) < 7:
        return new
    if len(local) < 10:
        return country + line + local[7:]
    # An area code's second digit is no 9, and its first neither 0 nor 1.
    area = f"{2 + int(local[0]) % 8}{int(local[1]) % 9}{local[2]}"
    return country + area + line + local[10:]


def _email(mention: str, keyed: Keyed, attempt: int) -> str:
    local = mention.partition("@")[0]
    drawn = keyed.number("email", folded(mention), attempt)
    surname = next(keyed.walk(lines("surnames"), "email", folded(mention), attempt)).lower()
    given = next(keyed.walk(lines("either_names"), "email", folded(mention), attempt)).lower()
    name = f"{given}.{surname}" if "." in local else f"{given[0]}{surname}"
    count = sum(character.isdigit() for character in local) or (2 if attempt else 0)
    number = str(drawn)[-count:] if count else ""
    return f"{name}{number}@{_HOSTS[drawn % len(_HOSTS)]}"


def _url(mention: str, keyed: Keyed, attempt: int) -> str:
    parts = _URL.fullmatch(mention)
    assert parts is not None  # every part of the pattern may be empty
    drawn = keyed.number("url", folded(mention), attempt)
    street = next(keyed.walk(lines("streets"), "url", folded(mention), attempt)).lower().replace(" ", "")
    host = f"{street}.{_HOSTS[drawn % len(_HOSTS)]}"
    path = shaped(parts["path"], keyed, "url", folded(mention), attempt)
    return (parts["scheme"] or "") + (parts["www"] or "") + host + path


def _ip(mention: str, keyed: Keyed, attempt: int) -> str:
    drawn = keyed.number("ip", folded(mention), attempt)
    if ":" in mention and "." not in mention:
        return f"{_BLOCK_6}::{drawn % 65_535 + 1:x}:{drawn // 65_536 % 65_535 + 1:x}"
    return f"{_BLOCKS[drawn % len(_BLOCKS)]}.{1 + drawn // 8 % 254}"
