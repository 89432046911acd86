"""`curbside deid regress`: today's detector on the reports that people have reviewed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from curbside.errors import BadInput
from curbside.runtime.client import Api
from curbside.runtime.reading import console, progress_bar

_SHOWN = 20


class UnreadableRun(BadInput):
    code = "regression.unreadable-run"


def regress(api: Api, output: Path | None, since: Path | None) -> bool:
    """Print recall by category with its 95 % interval, and precision; False where a report got worse.

    Worse than when it was reviewed, or than in the run that `since` holds. Reports are named by id.
    """
    before = _read(since) if since is not None else None
    policy, reports = _replayed(api)
    if output is not None:
        # By id, so that the next run can be held against it.
        run = {"policy": policy, "reports": {report["report_id"]: report["now"] for report in reports}}
        output.write_text(json.dumps(run, indent=2) + "\n")
    if not reports:
        console.print("no report has been reviewed as a whole yet: release one, or reject it as complete")
        return True
    console.print(_table(reports))
    if since is None or before is None:
        worse = [report["report_id"] for report in reports if report["worse"]]
        console.print(
            f"{len(reports)} reviewed reports by {policy}; worse than at their review: {len(worse)}"
        )
    else:
        worse = [
            report["report_id"]
            for report in reports
            if report["failed"] or _worse(report["now"], before.get(report["report_id"]))
        ]
        console.print(f"{len(reports)} reviewed reports by {policy}; worse than in {since}: {len(worse)}")
    for report_id in worse[:_SHOWN]:
        console.print(f"  {report_id}", highlight=False)
    if len(worse) > _SHOWN:
        console.print(f"  and {len(worse) - _SHOWN} more")
    return not worse


def _replayed(api: Api) -> tuple[str, list[dict[str, Any]]]:
    reports: list[dict[str, Any]] = []
    after: str | None = ""
    policy = ""
    with progress_bar() as bar:
        task = bar.add_task("replaying reviewed reports", total=None, note="")
        while after is not None:
            page = api.request("POST", "/deidentification/v1/regression", params={"after": after})
            reports += page["reports"]
            policy, after = page["policy"], page["next"]
            bar.update(task, completed=len(reports))
    return policy, reports


def _table(reports: Sequence[Mapping[str, Any]]) -> Table:
    from curbside_deidentification.sampling import Share

    now = [report["now"] for report in reports]
    found, missed = _summed(now, "found"), _summed(now, "missed")
    right, needless = (sum(counts[name] for counts in now) for name in ("right", "needless"))
    rows = [(name, Share(found[name], found[name] + missed[name])) for name in sorted(found + missed)]
    rows.append(("every category", Share(found.total(), (found + missed).total())))
    rows.append(("precision", Share(right, right + needless)))
    rows.append(("reports without a miss", Share(sum(not counts["missed"] for counts in now), len(now))))
    table = Table("of", "share", "95 % interval", "count")
    for name, share in rows:
        low, high = share.interval
        table.add_row(
            name, f"{share.value:.2%}", f"{low:.2%} to {high:.2%}", f"{share.hits} of {share.trials}"
        )
    return table


def _summed(counts: Sequence[Mapping[str, Any]], name: str) -> Counter[str]:
    return sum((Counter(one[name]) for one in counts), Counter[str]())


def _worse(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    if before is None:
        return False
    more_missed = sum(now["missed"].values()) > sum(before["missed"].values())
    return more_missed or bool(now["needless"] > before["needless"])


def _read(path: Path) -> dict[str, Any]:
    try:
        reports: dict[str, Any] = json.loads(path.read_text("utf-8"))["reports"]
    except (OSError, ValueError, KeyError, TypeError):
        raise UnreadableRun(
            f"{path} is no run of the regression corpus", mend="Name what `curbside deid regress -o` wrote."
        ) from None
    return reports
