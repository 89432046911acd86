"""Idempotency keys: how one is written, and what is wrong with its use.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/ (07). A key may hold an accession
number: no message quotes it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from curbside.errors import BadInput, Conflict

HEADER: Final = "Idempotency-Key"
_MAX_KEY: Final = 255  # characters; a UUID has 36
# A string of RFC 9651, 3.3.3, as the draft has it, or the bare word that most clients send.
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE: Final = re.compile(r"[!#-+\--:<-~]+")
# Either of them, as /openapi.json says it.
PATTERN: Final = f"^(?:{_QUOTED.pattern}|{_BARE.pattern})$"


class BadKey(BadInput):
    code = "idempotency.bad-key"
    status = HTTPStatus.BAD_REQUEST


class KeyReused(BadInput):
    """The key came before, with another request."""

    code = "idempotency.key-reused"


class KeyInHand(Conflict):
    """The first request with the key has not been answered yet."""

    code = "idempotency.in-hand"


def read_key(values: Sequence[str]) -> str:
    """The key in the header's `values`. Raises BadKey."""
    if len(values) != 1:
        raise _bad("the header stands there more than once")
    value = values[0].strip()
    quoted = _QUOTED.fullmatch(value)
    if quoted is None and _BARE.fullmatch(value) is None:
        raise _bad("the key is neither a quoted string nor a plain word of ASCII")
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted is not None else value
    if not key.strip() or len(key) > _MAX_KEY:
        raise _bad(f"the key is empty, or longer than {_MAX_KEY} characters")
    return key


def _bad(what: str) -> BadKey:
    return BadKey(what, field=HEADER, mend='Send one key, e.g. Idempotency-Key: "8e03978e-40d5-43dd".')
