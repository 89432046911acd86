"""An extraction on its way out of the child that made it: JSON, since a parser that was taken over must not
be able to make its parent run anything, as a pickle could."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from curbside.errors import BadInput, CurbsideError, Unavailable
from curbside_ingestion.extraction.found import (
    ConsentFound,
    Extraction,
    Found,
    Quality,
    Refused,
    UnreadableDocument,
)

Result = Extraction | CurbsideError
_DAMAGED: Final = "the document's parser gave an answer that is none"


def encode(result: Result) -> bytes:
    if isinstance(result, CurbsideError):
        return json.dumps({"problem": _problem(result)}).encode()
    body = {
        "found": [
            {
                "place": found.place,
                "row": found.row,
                "original": None
                if found.original is None
                else base64.b64encode(found.original).decode("ascii"),
                "quality": None if found.quality is None else asdict(found.quality),
            }
            for found in result.found
        ],
        "refused": [{"place": one.place, "problem": _problem(one.problem)} for one in result.refused],
        "consents": [asdict(consent) for consent in result.consents],
        "dropped": dict(result.dropped),
    }
    return json.dumps(body).encode()


def decode(data: bytes) -> Extraction:
    """The extraction in `data`. Raises the problem that it holds instead, or UnreadableDocument."""
    try:
        body = json.loads(data)
        if "problem" in body:
            raise _error(body["problem"])
        return Extraction(
            found=tuple(
                Found(
                    str(one["place"]),
                    dict(one["row"]),
                    None if one["original"] is None else base64.b64decode(one["original"]),
                    None if one["quality"] is None else Quality(**one["quality"]),
                )
                for one in body["found"]
            ),
            refused=tuple(Refused(str(one["place"]), _error(one["problem"])) for one in body["refused"]),
            consents=tuple(ConsentFound(str(one["place"]), dict(one["row"])) for one in body["consents"]),
            dropped={str(name): int(count) for name, count in body["dropped"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnreadableDocument(_DAMAGED, field="body", mend="Send it as text.") from None


def _problem(error: CurbsideError) -> dict[str, Any]:
    return {
        "code": error.code,
        "message": error.message,
        "field": error.field,
        "mend": error.mend,
        "of_document": isinstance(error, BadInput),
    }


def _error(problem: dict[str, Any]) -> CurbsideError:
    """The error that `problem` was made of: one of the kinds that this process knows."""
    kinds = {kind.code: kind for kind in _kinds(CurbsideError)}
    unknown = UnreadableDocument if problem["of_document"] else Unavailable
    kind = kinds.get(str(problem["code"]), unknown)
    return kind(str(problem["message"]), field=problem["field"], mend=problem["mend"])


def _kinds(kind: type[CurbsideError]) -> Iterator[type[CurbsideError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)
