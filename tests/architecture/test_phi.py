"""Law 2: PHI is revealed only where the house lists it, and never printed."""

from __future__ import annotations

import ast
import json
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from curbside.phi import PhiText, SafeText
from curbside.telemetry.logs import JsonFormatter, Repeats

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


SOURCES = [*(ROOT / "libs").rglob("*.py"), *(ROOT / "services").rglob("*.py")]
Rule = Callable[[ast.AST], bool]


def lines_where(source: str, rule: Rule) -> list[int]:
    return [getattr(node, "lineno", 0) for node in ast.walk(ast.parse(source)) if rule(node)]


def places(rule: Rule, *, allowed: tuple[str, ...]) -> list[str]:
    """Where `rule` holds, outside the files and rooms that are allowed."""
    named = {str(path.relative_to(ROOT)): path for path in SOURCES}
    return [
        f"{name}:{line}"
        for name, path in named.items()
        if not name.startswith(allowed)
        for line in lines_where(path.read_text(), rule)
    ]


def reveals(node: ast.AST) -> bool:
    # Also by name, as getattr and attrgetter take it.
    return (isinstance(node, ast.Attribute) and node.attr == "reveal") or (
        isinstance(node, ast.Constant) and node.value == "reveal"
    )


def reads_private_text(node: ast.AST) -> bool:
    """An object's `_text`, other than an object's own."""
    if isinstance(node, ast.Attribute) and node.attr == "_text":
        return not (isinstance(node.value, ast.Name) and node.value.id == "self")
    return isinstance(node, ast.Constant) and node.value == "_text"


def makes_safe_text(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    made = node.func
    return (isinstance(made, ast.Name) and made.id == "SafeText") or (
        isinstance(made, ast.Attribute) and made.attr == "SafeText"
    )


def test_only_the_listed_files_reveal() -> None:
    assert not places(reveals, allowed=REVEALING)


def test_nobody_reads_the_private_text() -> None:
    assert not places(reads_private_text, allowed=("libs/curbside/phi.py",))


def test_safe_text_is_made_only_by_deidentification_and_by_readers_of_its_zone() -> None:
    assert not places(makes_safe_text, allowed=SAFE_MAKERS)


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (reveals, "report.text.reveal()"),
        (reveals, "show = report.text.reveal"),
        (reveals, "getattr(text, 'reveal')()"),
        (reads_private_text, "phi._text"),
        (reads_private_text, "self.report.body._text"),
        (reads_private_text, "body()._text"),
        (reads_private_text, "getattr(phi, '_text')"),
        (makes_safe_text, "SafeText('Jane', rules=('none',))"),
        (makes_safe_text, "phi.SafeText('Jane', rules=('none',))"),
    ],
)
def test_a_planted_leak_is_found(rule: Rule, source: str) -> None:
    assert lines_where(f"first = 1\n{source}\n", rule) == [2]


def test_an_object_may_have_a_text_of_its_own() -> None:
    assert not lines_where(
        "class Page:\n    def __init__(self):\n        self._text = ''\n", reads_private_text
    )


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


def library_line(message: str, *args: object, error: BaseException | None = None) -> str:
    exc_info = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord("some.library", logging.ERROR, "/x/parser.py", 7, message, args, exc_info)
    return JsonFormatter("test").format(record)


def test_a_library_cannot_log_its_arguments() -> None:
    line = library_line("cannot parse %s", "Jane Doe")
    assert "Jane" not in line
    assert json.loads(line)["message"] == "cannot parse %s"


def test_a_library_that_formats_before_it_logs_is_named_by_its_place() -> None:
    for line in (
        library_line("cannot parse Jane Doe"),
        library_line("cannot parse Jane Doe", error=ValueError("Jane Doe")),
        library_line("cannot parse Jane Doe: %s", "x", error=ValueError("Jane Doe")),
    ):
        assert "Jane" not in line
        assert json.loads(line)["message"] == "parser:7"


def connection_line(created: float, message: str = "%s: Connection lost: %s") -> logging.LogRecord:
    args = ("<broker 1>", ConnectionRefusedError(111, "Connection refused"))
    record = logging.LogRecord(
        "kafka.net.connection", logging.ERROR, "/x/connection.py", 7, message, args, None
    )
    record.created = created
    return record


def test_a_connection_that_is_lost_is_said_whole_and_once_a_minute() -> None:
    said = json.loads(JsonFormatter("test").format(connection_line(0.0)))["message"]
    assert said == "<broker 1>: Connection lost: [Errno 111] Connection refused"
    once = Repeats()
    assert [once.filter(connection_line(second)) for second in (0.0, 1.0, 59.0, 60.0, 61.0)] == [
        True,
        False,
        False,
        True,
        False,
    ]
    assert once.filter(connection_line(62.0, "%s: another: %s"))
    assert once.filter(logging.makeLogRecord({"name": "curbside.x", "msg": "ours"}))


# Each puts the name into a message that Python, asyncio or grpc writes by itself.
UNCAUGHT = {
    "task": (
        "async def main():\n"
        "    task = asyncio.ensure_future(fail())\n"
        "    await asyncio.sleep(0.01)\n"
        "    del task\n"
        "    gc.collect()\n"
        "asyncio.run(main())\n"
    ),
    "grpc": (
        "try: boom()\n"
        "except ValueError as error:\n"
        "    logging.getLogger('grpc._server').exception(f'Exception calling application: {error}')\n"
    ),
    "thread": "thread = threading.Thread(target=boom)\nthread.start()\nthread.join()\n",
    "process": "boom()\n",
    "group": "raise ExceptionGroup('Jane Doe', [ValueError('Jane Doe')])\n",
    "finaliser": "class Closed:\n    def __del__(self): boom()\nClosed()\n",
    "command": (
        "from curbside.runtime import command\n"
        "command.app.command('crash')(boom)\n"
        "sys.argv = ['curbside', 'crash']\n"
        "command.main()\n"
    ),
}


@pytest.mark.parametrize("case", UNCAUGHT)
def test_what_nobody_caught_is_logged_without_its_message(case: str) -> None:
    script = (
        "import asyncio, gc, logging, sys, threading\n"
        "from curbside.telemetry.logs import configure_logging\n"
        "configure_logging('test', 'INFO')\n"
        "def boom(): configure_logging('test', 'INFO'); raise ValueError('could not parse Jane Doe')\n"
        "async def fail(): boom()\n" + UNCAUGHT[case]
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "Jane" not in answer.stderr + answer.stdout
    (line,) = answer.stderr.splitlines()
    error = json.loads(line)["error"]
    error = error.get("errors", [error])[0]
    assert error["type"] == "ValueError"
    assert case == "group" or "boom" in error["frames"][-1]


def test_safe_text_remembers_how_it_was_made() -> None:
    safe = SafeText("A  B", rules=("deid",)).derive("whitespace", lambda text: " ".join(text.split()))
    assert (safe.text, safe.rules) == ("A B", ("deid", "whitespace"))
    with pytest.raises(ValueError, match="rule"):
        SafeText("x", rules=())
