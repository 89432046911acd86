"""The lines of a batch's file: which are documents, and what ails the others. Never all at once."""

from __future__ import annotations

import codecs
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from curbside.contracts.codec import KnownIdentifiers

SHOWN_LINES: Final = 20
KNOWN_FIELDS: Final = tuple(each.name for each in fields(KnownIdentifiers))
_KEYS: Final = ("id", "text", "known")
# What else somebody may call what is known; the most are ingestion's, which reads them beside the text.
_OTHER_NAMES: Final = (
    "known",
    "identifiers",
    "patient",
    "patient_name",
    "nickname",
    "relative",
    "physician",
    "date_of_birth",
    "dob",
    "address",
)
_PLAIN_KEY: Final = re.compile(r"[a-z][a-z_-]{0,31}")  # any other may be a patient's name, and is not shown
_LIKE: Final = 0.8  # "knwon" for "known"; "keywords", "notes" and "context" are like none
# What intake takes: a file without line breaks must not be read into memory.
_LONGEST_LINE: Final = 25_000_000
# A document nests three deep. A fixed limit, because Python's depends on how deep the reader itself is
# called, and a worker is called deeper than we are.
_DEEPEST: Final = 50


@dataclass
class Examined:
    """How many lines of a file are documents, how many are not, and the first of these by number."""

    documents: int = 0
    bad: int = 0
    shown: dict[int, str] = field(default_factory=dict)


def examine(source: Path, apart: Path, digest: Any) -> Examined:
    """Read all of `source` into `digest`, and write the number of each bad line and what ails it to `apart`:
    never the line itself, which may be a patient's."""
    examined = Examined()
    apart.parent.mkdir(parents=True, exist_ok=True)
    with apart.open("w", encoding="utf-8") as bad:
        apart.chmod(0o600)
        for number, line in lines_of(source, digest):
            problem = problem_of(line)
            if problem is None:
                examined.documents += 1
                continue
            examined.bad += 1
            bad.write(json.dumps({"line": number, "problem": problem}) + "\n")
            if len(examined.shown) < SHOWN_LINES:
                examined.shown[number] = problem
    if not examined.bad:
        apart.unlink()
    return examined


def documents_of(source: Path) -> Iterator[str]:
    """The lines that are documents, in order."""
    for _, line in lines_of(source):
        if problem_of(line) is None:
            yield line.decode("utf-8")


def lines_of(source: Path, digest: Any = None) -> Iterator[tuple[int, bytes]]:
    """The lines of `source` that are not blank, by number from 1; of one too long its beginning."""
    with source.open("rb") as lines:
        for number in itertools.count(1):
            line = piece = lines.readline(_LONGEST_LINE + 1)
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            while piece:
                if digest is not None:
                    digest.update(piece)
                if len(piece) <= _LONGEST_LINE or piece.endswith(b"\n"):
                    break
                piece = lines.readline(_LONGEST_LINE + 1)
            if not piece and not line:
                return
            if line.strip():
                yield number, line


def problem_of(line: bytes) -> str | None:
    """What ails a line that is no document, in words that say nothing of what stands in it."""
    if len(line) > _LONGEST_LINE:
        return "too long"
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return "not UTF-8"
    except RecursionError:
        return "nested too deeply"
    except ValueError:
        return "not JSON"
    if _depth(row) > _DEEPEST:
        return "nested too deeply"
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return "no text"
    if "id" not in row:
        return "no id"
    if not isinstance(row["id"], str | int) or isinstance(row["id"], bool):
        return "an id that is neither text nor a whole number"
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return "half a surrogate pair"  # legal in JSON's escapes, and in no text
    for key, value in row.items():
        if key not in _KEYS and (_is_like_known(key) or _holds_known(value)):
            return (
                f"{_shown(key, 'a key')} stands beside the text, where it is not read: it belongs into known"
            )
    known = row.get("known")
    return None if known is None else _problem_of_known(known)


def _problem_of_known(known: object) -> str | None:
    if isinstance(known, dict):
        for key in known:
            if key not in KNOWN_FIELDS:
                like = get_close_matches(key.casefold(), KNOWN_FIELDS, 1, _LIKE)
                meant = f": do you mean {like[0]!r}?" if like else ""
                return f"known has no list {_shown(key, 'of that name')}{meant}"
    if not isinstance(known, dict) or not all(
        isinstance(values, list) and all(isinstance(value, str) for value in values)
        for values in known.values()
    ):
        return "known is not an object of lists of strings"
    return None


def _is_like_known(key: str) -> bool:
    """Whether `key` is a list of identifiers that was put, or spelled, wrong: nobody would read it, and what
    it names would be left. Other keys of a row, as a corpus has them, are passed over."""
    plain = key.strip().casefold()
    return plain.startswith("known") or bool(
        get_close_matches(plain, (*KNOWN_FIELDS, *_OTHER_NAMES), 1, _LIKE)
    )


def _holds_known(value: object) -> bool:
    return isinstance(value, dict) and not set(KNOWN_FIELDS).isdisjoint(value)


def _shown(key: str, otherwise: str) -> str:
    return repr(key) if _PLAIN_KEY.fullmatch(key) or _is_like_known(key) else otherwise


def _depth(value: object) -> int:
    """How deeply lists and objects are nested in `value`, without recursion."""
    depth, level = 0, [value]
    while level:
        inner = [item for item in level if isinstance(item, list | dict)]
        level = [part for item in inner for part in (item.values() if isinstance(item, dict) else item)]
        depth += bool(inner)
    return depth
