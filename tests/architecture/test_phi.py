"""Law 2: PHI is revealed only where the house lists it, and never printed."""

from __future__ import annotations

import ast
import json
import logging
import pickle
from pathlib import Path

import pytest

from curbside.phi import PhiText, SafeText
from curbside.telemetry.logs import JsonFormatter

ROOT = Path(__file__).resolve().parents[2]
# Where `.reveal()` is legal, and why.
REVEALING = (
    "libs/curbside/contracts/codec.py",  # the gRPC and blob codec
    "services/curbside_ingestion/",  # keeps the original, extracts its text
    "services/curbside_deidentification/",  # finds and replaces what is PHI
    "services/curbside_inference/http.py",  # an answer to the caller about the caller's own text
    "services/curbside_inference/grpc.py",
    "services/curbside_workbench/http.py",
)
# Who may make SafeText out of nothing: deidentification, and readers of what it stored in safe/.
SAFE_MAKERS = (
    "libs/curbside/phi.py",
    "services/curbside_deidentification/",
    "services/curbside_datasets/",
    "services/curbside_inference/",
    "services/curbside_training/",
)


def callers(attribute: str) -> list[str]:
    found = []
    for path in [*(ROOT / "libs").rglob("*.py"), *(ROOT / "services").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == attribute:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_only_the_listed_files_reveal() -> None:
    assert not [place for place in callers("reveal") if not place.startswith(REVEALING)]


def test_nobody_reads_the_private_text() -> None:
    assert not [place for place in callers("_text") if place.startswith("services/") and "phi" in place]


def test_safe_text_is_made_only_by_deidentification_and_by_readers_of_its_zone() -> None:
    found = []
    for path in [*(ROOT / "libs").rglob("*.py"), *(ROOT / "services").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "SafeText":
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not [place for place in found if not place.startswith(SAFE_MAKERS)]


@pytest.mark.parametrize("shown", [str, repr, "{}".format, "{!r}".format, "%s".__mod__, "{:>40}".format])
def test_phi_prints_only_its_length(shown) -> None:  # type: ignore[no-untyped-def]
    assert "Jane" not in shown(PhiText("Jane Doe"))
    assert "<phi 8 chars>" in shown(PhiText("Jane Doe"))


def test_phi_is_not_pickled_serialised_or_hashed() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(PhiText("Jane Doe"))
    with pytest.raises(TypeError):
        json.dumps(PhiText("Jane Doe"))
    with pytest.raises(TypeError):
        hash(PhiText("Jane Doe"))


def test_a_log_line_holds_neither_phi_nor_an_exceptions_message() -> None:
    try:
        raise ValueError("could not parse 'Jane Doe'")
    except ValueError as error:
        record = logging.LogRecord(
            "curbside.x", logging.ERROR, __file__, 1, "failed", None, (type(error), error, None)
        )
    record.text = PhiText("Jane Doe")
    line = JsonFormatter("test").format(record)
    assert "Jane" not in line
    assert "<phi 8 chars>" in line
    assert json.loads(line)["error"]["type"] == "ValueError"


def test_a_library_cannot_log_its_arguments() -> None:
    record = logging.LogRecord(
        "some.library", logging.ERROR, __file__, 1, "cannot parse %s", ("Jane Doe",), None
    )
    assert "Jane" not in JsonFormatter("test").format(record)


def test_safe_text_remembers_how_it_was_made() -> None:
    safe = SafeText("A  B", rules=("deid",)).derive("whitespace", lambda text: " ".join(text.split()))
    assert (safe.text, safe.rules) == ("A B", ("deid", "whitespace"))
    with pytest.raises(ValueError, match="rule"):
        SafeText("x", rules=())
