"""Observations as lines that a reader of reports knows: "Potassium: 3.1 mmol/L (3.5 to 5.1) Low"."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.extraction.fhir.bundle import Entry, Reading
from curbside_ingestion.extraction.fhir.codes import label, labels, status_of
from curbside_ingestion.extraction.fhir.tree import Tree, line, nodes, strings, text_at

_DEEPEST: Final = 4  # panels of panels
_MADE_OF: Final = (
    "valueString",
    "valueTime",
    "valueDateTime",
)


def lines_of(entry: Entry, reading: Reading, above: tuple[Entry, ...] = ()) -> list[str]:
    """The lines of one Observation: itself, its components, its notes, and the members of a panel.

    One that was cancelled or entered in error has none. Raises where it, or a member that is there, is bad.
    """
    observation = reading.valid(entry)
    if status_of(text_at(observation, "status")) is ReportStatus.ENTERED_IN_ERROR:
        return []
    indent = "  " * len(above)
    value = value_of(observation)
    found: list[str] = []
    for component in nodes(observation, "component"):
        if shown := value_of(component):
            found.append(f"{indent}  {_name(component)}: {shown}")
    if len(above) < _DEEPEST:
        for member in reading.all_at(observation, "hasMember", within=entry):
            if member.kind == "Observation" and member is not entry and member not in above:
                found += lines_of(member, reading, (*above, entry))
    found += [f"{indent}  {line(note)}" for note in strings(observation, "note", "text")]
    if value or found:
        found.insert(0, f"{indent}{_name(observation)}: {value}".rstrip())
    # Many reports may tell of the same long Observation.
    reading.library.budget.spend(sum(map(len, found)))
    return found


def _name(holder: Tree) -> str:
    return line(label(holder.get("code", {}))) or "Result"


def value_of(holder: Tree) -> str:
    """Value, unit, reference range and flag of an Observation or a component; empty where it has none."""
    value = _value(holder) or label(holder.get("dataAbsentReason", {}))
    if not value:
        return ", ".join(map(line, labels(holder, "interpretation")))
    ranges = "; ".join(filter(None, map(_range, nodes(holder, "referenceRange"))))
    flags = ", ".join(map(line, labels(holder, "interpretation")))
    return " ".join(filter(None, (line(value), f"({ranges})" if ranges else "", flags)))


def _value(holder: Tree) -> str:
    for name in _MADE_OF:
        if text_at(holder, name):
            return text_at(holder, name)
    for name in ("valueInteger", "valueBoolean"):
        found = holder.get(name)
        if isinstance(found, bool):
            return "yes" if found else "no"
        if isinstance(found, int):
            return str(found)
    for name, render in _RENDERED.items():
        found = holder.get(name)
        if isinstance(found, dict) and (shown := render(found)):
            return str(shown)
    return ""


def quantity(value: Tree) -> str:
    number = value.get("value")
    if isinstance(number, bool) or not isinstance(number, (int, Decimal)):
        return ""
    shown = format(number, "f") if isinstance(number, Decimal) else str(number)
    unit = text_at(value, "unit") or text_at(value, "code")
    return " ".join(filter(None, (text_at(value, "comparator") + shown, unit)))


def _between(value: Tree) -> str:
    low, high = (
        quantity(side) if isinstance(side := value.get(end), dict) else "" for end in ("low", "high")
    )
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"up to {high}" if high else ""


def _range(value: Tree) -> str:
    return line(text_at(value, "text")) or _between(value)


def _ratio(value: Tree) -> str:
    sides = [
        quantity(side) for end in ("numerator", "denominator") if isinstance(side := value.get(end), dict)
    ]
    return " / ".join(filter(None, sides))


def _period(value: Tree) -> str:
    return " to ".join(filter(None, (text_at(value, "start"), text_at(value, "end"))))


_RENDERED: Final[dict[str, Any]] = {
    "valueQuantity": quantity,
    "valueCodeableConcept": label,
    "valueRange": _between,
    "valueRatio": _ratio,
    "valuePeriod": _period,
}
