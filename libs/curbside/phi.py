"""Protected health information is a type, so that it cannot be printed by accident.

`PhiText` shows only its length wherever it is formatted, logged, pickled or serialised. `.reveal()` is
legal in the files listed in `tests/architecture/test_phi.py` and nowhere else. `SafeText` is text that
de-identification made; it is changed only through `derive`, which records the rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NoReturn, final


class Category(StrEnum):
    """PHI categories: the eighteen of 45 CFR 164.514(b)(2), with NAME/FACILITY and AGE told apart."""

    NAME = "NAME"
    LOCATION = "LOCATION"
    FACILITY = "FACILITY"
    DATE = "DATE"
    AGE = "AGE"  # 90 and over
    PHONE = "PHONE"
    FAX = "FAX"
    EMAIL = "EMAIL"
    SSN = "SSN"
    MRN = "MRN"
    HEALTH_PLAN = "HEALTH_PLAN"
    ACCOUNT = "ACCOUNT"
    LICENSE = "LICENSE"
    VEHICLE = "VEHICLE"
    DEVICE = "DEVICE"
    URL = "URL"
    IP = "IP"
    BIOMETRIC = "BIOMETRIC"
    PHOTO = "PHOTO"
    OTHER_ID = "OTHER_ID"


# What stands in brackets where a mention was: its category, and for OTHER_ID the word that people write.
PLACEHOLDER_WORDS: Final = frozenset({*map(str, Category), "ID"})
# Letters of a code such as "[PHOTO_BCDFGHJK]": without vowels they spell no word.
CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH: Final = 8
# Whatever de-identification writes in brackets, and nothing else: "[SMITH]" is somebody's name.
PLACEHOLDER: Final = re.compile(
    rf"\[(?:{'|'.join(sorted(PLACEHOLDER_WORDS))})(?:_\d+|_[{CODE_LETTERS}]{{{CODE_LENGTH}}})?\]"
)


@final
class PhiText:
    """Text that may identify a person. Prints as `<phi N chars>`; refuses pickling and hashing."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """The text itself. Legal only in the files that the architecture test lists."""
        return self._text

    def __len__(self) -> int:
        return len(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PhiText) and self._text == other._text

    __hash__ = None  # type: ignore[assignment]  # a set of PHI would leak through its ordering

    def __repr__(self) -> str:
        return f"<phi {len(self._text)} chars>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("PHI is not pickled; send it through curbside.contracts.codec")


@final
class SafeText:
    """De-identified text, and the rules that made it what it is, oldest first."""

    __slots__ = ("_rules", "_text")

    def __init__(self, text: str, *, rules: tuple[str, ...]) -> None:
        if not rules:
            raise ValueError("SafeText names the rule that made it, e.g. rules=('deid:2026.1',)")
        self._text: Final = text
        self._rules: Final = rules

    @property
    def text(self) -> str:
        return self._text

    @property
    def rules(self) -> tuple[str, ...]:
        return self._rules

    def derive(self, rule: str, transform: Callable[[str], str]) -> SafeText:
        """A new SafeText made by `transform`, which must only remove or rearrange; `rule` is recorded."""
        return SafeText(transform(self._text), rules=(*self._rules, rule))

    def __len__(self) -> int:
        return len(self._text)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"SafeText({len(self._text)} chars, rules={self._rules!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SafeText) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> NoReturn:
        raise TypeError("SafeText does not cross an edge as itself; serialise .text explicitly")
