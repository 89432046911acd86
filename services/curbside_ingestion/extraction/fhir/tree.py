"""JSON as FHIR writes it: read strictly, walked without trusting its shape, written in one canonical form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, TypeAlias

from curbside_ingestion.extraction.found import UnreadableDocument

Tree: TypeAlias = dict[str, Any]

MAX_DEPTH: Final = 64  # the deepest of the shared files, a Questionnaire, has 17
# R4 §2.24.0.1 lets a decimal have 18 digits; what is longer costs time by the square of its length.
_LONGEST_NUMBER: Final = 40
_EXPONENT: Final = re.compile(r"[eE][+-]?\d{3}")
_BREAKS: Final = re.compile(r"\s+")


def parse(data: bytes) -> Tree:
    """The JSON object in `data`. Decimals keep their digits (R4 §2.24.0.1: precision is significant)."""
    try:
        found = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        raise _unreadable("is not UTF-8", "R4 §2.6.2 asks for UTF-8.") from None
    except RecursionError:
        raise _unreadable("is nested too deeply", "Send the resources unnested.") from None
    except json.JSONDecodeError:
        raise _unreadable("is no JSON", "Send one Bundle or resource.") from None
    if not isinstance(found, dict):
        raise _unreadable("is no JSON object", "Send one Bundle or resource.")
    return found


def is_too_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def nodes(value: object, *path: str) -> list[Tree]:
    """The objects at `path` in `value`, through lists and alone; what has another shape is none."""
    found = _at(value, path)
    return [item for item in found if isinstance(item, dict)]


def strings(value: object, *path: str) -> list[str]:
    return [item for item in _at(value, path) if isinstance(item, str) and item.strip()]


def text_at(value: object, *path: str) -> str:
    """The first string at `path`, trimmed; empty where there is none."""
    return next(iter(strings(value, *path)), "").strip()


def line(value: str) -> str:
    return _BREAKS.sub(" ", value).strip()


def canonical(value: object) -> str:
    """`value` as JSON with sorted members and no spaces, every decimal with the digits it came with."""
    if isinstance(value, dict):
        members = (f"{_quoted(name)}:{canonical(value[name])}" for name in sorted(value))
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(canonical, value))}]"
    if isinstance(value, str):
        return _quoted(value)
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _at(value: object, path: Iterable[str]) -> list[object]:
    level = value if isinstance(value, list) else [value]
    for name in path:
        following: list[object] = []
        for item in level:
            member = item.get(name) if isinstance(item, dict) else None
            following.extend(member if isinstance(member, list) else [member])
        level = following
    return level


def _quoted(value: str) -> str:
    quoted = json.dumps(value, ensure_ascii=False)
    # Half of a surrogate pair has no UTF-8; its escape has.
    return quoted if quoted.isascii() or _is_whole(quoted) else json.dumps(value)


def _is_whole(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> Tree:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _unreadable("has an object with two members of one name", "R4 §2.6.2 forbids it.")
    return found


def _decimal(digits: str) -> Decimal:
    if len(digits) > _LONGEST_NUMBER or _EXPONENT.search(digits):
        raise _unreadable("has a number of too many digits", "R4 §2.24.0.1 asks for 18 digits at most.")
    return Decimal(digits)


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise _unreadable("has a number of too many digits", "R4 §2.24.0.1 asks for 18 digits at most.")
    return int(digits)


def _constant(_: str) -> object:
    raise _unreadable("has NaN or Infinity, which JSON has not", "Leave the value out.")


def _unreadable(what: str, mend: str) -> UnreadableDocument:
    return UnreadableDocument(f"the document {what}", field="body", mend=mend)
