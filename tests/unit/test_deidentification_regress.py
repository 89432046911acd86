"""`curbside deid regress`: page by page, recall with its interval, and which reports got worse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curbside.runtime import regression
from curbside.runtime.client import Api


def counts(found: int, missed: int, needless: int = 0) -> dict[str, Any]:
    return {
        "found": {"NAME": found},
        "missed": {"NAME": missed} if missed else {},
        "right": found,
        "needless": needless,
    }


def report(report_id: str, now: dict[str, Any], *, worse: bool = False, failed: str | None = None) -> Any:
    return {"report_id": report_id, "now": now, "at_review": now, "worse": worse, "failed": failed}


class Pages(Api):
    def __init__(self, *pages: list[Any]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def request(self, method: str, path: str, **options: Any) -> Any:
        assert (method, path) == ("POST", "/deidentification/v1/regression")
        place = len(self.asked)
        self.asked.append(options["params"]["after"])
        following = self.pages[place][-1]["report_id"] if place + 1 < len(self.pages) else None
        return {"policy": "p:1", "reports": self.pages[place], "next": following}


def test_every_page_counts_and_a_report_that_got_worse_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    api = Pages([report("r1", counts(90, 0))], [report("r2", counts(9, 1), worse=True)])
    assert not regression.regress(api, None, None)
    shown = capsys.readouterr().out
    assert api.asked == ["", "r1"]
    assert "99.00%" in shown
    assert "94.55% to 99.97%" in shown  # Clopper and Pearson, 99 of 100
    assert "1 of 2" in shown
    assert "r2" in shown


def test_a_run_is_held_against_an_earlier_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run.json"
    first = [report("r1", counts(9, 1), worse=True), report("r2", counts(5, 0))]
    assert not regression.regress(Pages(first), run, None)
    assert set(json.loads(run.read_text())["reports"]) == {"r1", "r2"}
    assert regression.regress(Pages(first), None, run)
    assert regression.regress(Pages([*first, report("r3", counts(0, 1))]), None, run)  # new in the corpus
    for worse in (counts(8, 2), counts(9, 1, needless=1)):
        assert not regression.regress(Pages([report("r1", worse)]), None, run)
    failed = report("r2", counts(5, 0), failed="deid.timed-out")
    assert not regression.regress(Pages([failed]), None, run)
    capsys.readouterr()


@pytest.mark.parametrize("content", [None, "no json", "{}", "[]"])
def test_what_is_no_run_is_refused_by_name(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(regression.UnreadableRun, match=r"run\.json"):
        regression.regress(Pages([]), None, path)


def test_an_empty_corpus_says_how_to_fill_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert regression.regress(Pages([]), None, None)
    assert "release one" in capsys.readouterr().out
