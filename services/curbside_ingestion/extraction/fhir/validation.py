"""One resource against R4B's rules. Messages name a path and a rule; pydantic's own would quote the value."""

from __future__ import annotations

import copy
import re
from collections import Counter
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from curbside_ingestion.extraction.fhir.tree import Tree, is_too_deep
from curbside_ingestion.extraction.found import OversizedDocument, UnreadableDocument

FIELDS_FILE: Final = Path(__file__).with_name("fields.yaml")
_ALWAYS: Final = frozenset({"resourceType", "id", "meta", "text", "contained", "identifier", "status"})
_EXTRA: Final = "extra_forbidden"
_NAME: Final = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}")
_MOST_NAMES: Final = 200  # of dropped members; a hostile document has as many as it likes
# What fhir.resources raises beside ValidationError: where a contained resource is of no known type, and where
# a value has a shape that a validator of its own did not foresee.
_FAILURES: Final = (
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
)


class Dropped:
    """Counts of what no rule reads, by name; names are of a bounded number and look like FHIR's."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, name: str, member: str | None = None) -> None:
        safe = name if _NAME.fullmatch(name) else "other"
        if member is not None:
            safe = f"{safe}.{member if _NAME.fullmatch(member) else 'other'}"
        self.counts[safe if safe in self.counts or len(self.counts) < _MOST_NAMES else "other"] += 1


def validated(kind: str, resource: Tree, dropped: Dropped) -> Tree:
    """`resource`, which obeys R4B as `kind` does, without the members that R4B does not know.

    Raises UnreadableDocument with the path and the rule that is broken.
    """
    if is_too_deep(resource):
        raise OversizedDocument(f"{kind} is nested too deeply", field=kind, mend="Send it unnested.")
    errors = _errors(kind, resource)
    unknown = [error for error in errors if error["type"] == _EXTRA]
    if unknown:
        resource = copy.deepcopy(resource)
        for error in unknown:
            _remove(resource, error["loc"])
            dropped.add(kind, str(error["loc"][-1]))
        errors = _errors(kind, resource)
    if errors:
        path = ".".join(map(_part, errors[0]["loc"])) or kind
        raise UnreadableDocument(
            f"{kind} does not obey FHIR R4 at {path}: {_rule(errors[0])}",
            field=path,
            mend=f"See https://hl7.org/fhir/R4/{kind.lower()}.html.",
        )
    for member in resource.keys() - fields_read()[kind]:
        dropped.add(kind, member)
    return resource


@cache
def fields_read() -> dict[str, frozenset[str]]:
    """Type → those of its members that a rule reads."""
    listed: dict[str, list[str]] = yaml.safe_load(FIELDS_FILE.read_bytes())
    return {kind: _ALWAYS | set(members) for kind, members in listed.items()}


@cache
def _model(kind: str) -> Any:
    return getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)


def _errors(kind: str, resource: Tree) -> list[Any]:
    try:
        _model(kind).model_validate(resource)
    except ValidationError as error:
        return list(error.errors(include_input=False, include_url=False, include_context=False))
    except RecursionError:
        return [{"loc": (), "type": "recursion"}]
    except _FAILURES:
        return [{"loc": ("contained",) if "contained" in resource else (), "type": "invalid"}]
    return []


def _rule(error: Any) -> str:
    return str(error["type"]).replace("_", " ")


def _part(part: str | int) -> str:
    return str(part) if isinstance(part, int) or _NAME.fullmatch(part) else "?"


def _remove(value: Any, path: tuple[str | int, ...]) -> None:
    *parents, last = path
    for part in parents:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return  # pydantic put a name of its own into the path, e.g. of a union's member
    if isinstance(value, dict):
        value.pop(last, None)
