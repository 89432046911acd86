"""The journey: start, post, de-identify, build, train, evaluate, promote, ask."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from curbside.contracts.tasks import DEMONSTRATION_NOTICE, NOTICE, Task
from curbside.demo.installation import Installation
from curbside.demo.ledger import LedgerBroken, read_ledger
from curbside.demo.reports import Posted, from_files, generated, post
from curbside.demo.tables import show_evaluation, show_ledger, show_posts, show_splits
from curbside.errors import BadInput, CurbsideError
from curbside.runtime.client import Api, may_pass, patiently
from curbside.runtime.reading import (
    build_dataset,
    console,
    going_on,
    print_opinion,
    progress_bar,
    queue_run,
    wait_for_run,
)
from curbside.settings import RuntimeSettings, load

HOLDOUT_SOURCE: Final = "curbside-demo-holdout"
# time_limit in seconds: with it the whole demo ends within 20 minutes on 2 cores, installing included. The
# learning rate reaches zero at the limit, so a slower machine learns less and never stops in the middle. Two
# reports a step train as fast as four on 2 cores (332 against 338 tokens/s) in 0.8 GB less memory.
_RECIPE: Final[dict[str, Any]] = {"time_limit": 540, "epochs": 3, "reports_per_step": 2}
# A report is de-identified within seconds and a model placed within one: what stands still for so long waits
# for somebody.
_PATIENCE: Final = timedelta(minutes=5)


class NoReports(BadInput):
    code = "demo.no-reports"


class NotPlaced(CurbsideError):
    """A promoted model does not answer."""

    code = "demo.not-placed"


def run_demo(
    *,
    reports: Path | None,
    limit: int | None,
    stop_after: bool,
    data: Path | None,
    up_options: Sequence[str] = (),
) -> None:
    """Do the main job and write `demo.json` into the data directory.

    `up_options` go to `curbside up`, where nothing runs there yet. Every stage is idempotent, so a second
    run resumes or reuses what exists.
    """
    if reports is not None and not reports.exists():
        raise NoReports(
            f"there is no {str(reports)!r}", field="--reports", mend="Name a file or folder of reports."
        )
    settings = load(RuntimeSettings, data_dir=data)
    if "data_dir" not in settings.model_fields_set:
        settings = load(RuntimeSettings, data_dir=_default_data(reports))
    installation = Installation(settings, {}, options=up_options)
    started = time.monotonic()
    try:
        api = installation.start()
        summary = _travel(api, reports, limit, settings)
        summary["seconds"] = round(time.monotonic() - started, 1)
        path = settings.data / "demo.json"
        path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
        console.print(f"[bold]done[/] in {summary['seconds']:.0f} s; figures in {path}")
    finally:
        if stop_after:
            installation.stop()
    if not stop_after:
        _say_where(api, settings)


def _default_data(reports: Path | None) -> Path | None:
    if reports is None:
        return None
    name = re.sub(r"[^a-z0-9]+", "-", reports.name.casefold()).strip("-")
    return Path(f".curbside-{name}")


def _travel(api: Api, reports: Path | None, limit: int | None, settings: RuntimeSettings) -> dict[str, Any]:
    posted = _post_all(api, reports, limit)
    show_posts(posted)
    _wait_until_settled(api)
    recipe = {"holdout_sources": [HOLDOUT_SOURCE]} if reports is None else {}
    version = build_dataset(api, "demo", recipe)
    manifest = api.poll(f"/datasets/v1/versions/{version}")
    ledger = read_ledger(api, manifest)
    show_ledger(ledger)
    show_splits(manifest)
    ledger.check(posted)
    run = queue_run(api, version, _RECIPE)
    run = wait_for_run(api, run["run_id"])
    model = api.poll(f"/training/v1/models/{run['model_version']}")
    show_evaluation(model["evaluation"])
    promoted = _promote(api, run["model_version"])
    opinions = _ask_everything(api, version)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "notice": [NOTICE, DEMONSTRATION_NOTICE],
        "posted": {
            "accepted": posted.accepted,
            "already_there": posted.already_there,
            "refused": posted.refused or {},
        },
        "ledger": ledger.to_json(),
        "dataset": {
            "version": version,
            "splits": {
                name: {key: part[key] for key in ("examples", "reports", "subjects")}
                for name, part in manifest["splits"].items()
            },
            "checks": manifest["checks"],
        },
        "run": {key: run[key] for key in ("run_id", "state", "steps", "loss", "model_version")},
        "evaluation": model["evaluation"],
        "promotion": "promoted" if promoted is None else promoted,
        "opinions": opinions,
    }


def _post_all(api: Api, reports: Path | None, limit: int | None) -> Posted:
    posted = Posted()
    bodies: Sequence[dict[str, Any]]
    bodies = generated(limit) if reports is None else list(from_files(reports, limit, posted))
    if not bodies:
        raise NoReports(
            "no report could be read",
            field="--reports",
            mend="It reads .txt, .csv, .json, .jsonl, also .gz and .xz.",
        )
    with progress_bar() as bar:
        task = bar.add_task("posting reports", total=len(bodies), note="")
        for body in bodies:
            post(api, body, posted)
            bar.advance(task)
    return posted


def _wait_until_settled(api: Api, patience: timedelta = _PATIENCE) -> None:
    """Until no report is pending, and datasets has seen every one that was de-identified.

    Raises LedgerBroken where nothing moved for as long as `patience`.
    """
    with progress_bar() as bar:
        task = bar.add_task("de-identifying and mining", total=1, note="")
        seen: tuple[int, ...] = ()
        moved = time.monotonic()
        while True:
            with going_on("The reports are de-identified meanwhile: run the demo again, and it resumes."):
                ledger = read_ledger(api)
            bar.update(task, completed=ledger.current, total=max(ledger.expected_in_datasets, 1))
            if ledger.settled:
                return
            standing = (ledger.pending, ledger.mined, ledger.current)
            if standing != seen:
                seen, moved = standing, time.monotonic()
            elif time.monotonic() - moved >= patience.total_seconds():
                raise LedgerBroken(
                    f"for {patience} nothing moved, while {ledger.pending} reports are pending and datasets "
                    f"has {ledger.current} of {ledger.usable} usable ones: `curbside bus status` shows what "
                    f"became a dead letter, and `curbside bus replay TOPIC` tries it again."
                )
            time.sleep(0.5)


def _promote(api: Api, version: str, patience: timedelta = _PATIENCE) -> str | None:
    """Promote; None where it worked, or the sentence of the gate that refused.

    Raises NotPlaced where the model does not answer within `patience`.
    """
    try:
        # Again where an answer was lost: what is promoted already stays so.
        patiently(lambda: api.post(f"/training/v1/models/{version}/promote", {"alias": "production"}))
    except CurbsideError as refused:
        if may_pass(refused):
            raise
        console.print(f"[yellow]not promoted[/]: {refused.sentence}")
        return refused.sentence
    with progress_bar() as bar:
        task = bar.add_task("promoting", total=1, note=version)
        deadline = time.monotonic() + patience.total_seconds()
        while api.poll("/inference/v1/model")["model_version"] != version:
            if time.monotonic() >= deadline:
                raise NotPlaced(
                    f"inference did not place the promoted {version} within {patience}: `curbside bus "
                    f"status` shows whether its event became a dead letter, and the web log why."
                )
            time.sleep(0.2)
        bar.update(task, completed=1)
    return None


def _ask_everything(api: Api, dataset: str) -> list[dict[str, Any]]:
    """All four tasks of one held-out report, or of several where no report has all four, of whatever
    model is promoted: the one just tuned, or the base where the gates refused it."""
    opinions = []
    by_task = {
        task: api.poll(f"/datasets/v1/versions/{dataset}/examples", split="test", task=task.value, limit=500)[
            "examples"
        ]
        for task in Task
    }
    compared = {example["report_id"] for example in by_task[Task.COMPARE]}
    for task, examples in by_task.items():
        if not examples:
            console.print(f"[dim]no held-out report has an example of {task.value}[/]")
            continue
        example = next((e for e in examples if e["report_id"] in compared), examples[0])
        body = {"task": task.value, "report": example["input"]}
        if example["prior"]:
            body["prior"] = example["prior"]
        opinion = api.post("/inference/v1/opinions", body)
        print_opinion(opinion)
        console.print(
            f"[dim]the report's own author wrote:[/] {example['output']}", markup=True, highlight=False
        )
        opinions.append(
            {
                "report_id": example["report_id"],
                "task": task.value,
                "answer": opinion["answer"],
                "reference": example["output"],
                "model_version": opinion["model_version"],
                "notice": opinion["notice"],
            }
        )
    return opinions


def _say_where(api: Api, settings: RuntimeSettings) -> None:
    table = Table(show_header=False, box=None)
    table.add_row("workbench", f"{api.base_url}/")
    for name, url in (api.services or {"API": api.base_url}).items():
        table.add_row(name, f"{url}/docs")
    if not api.services:
        table.add_row("gRPC", f"{settings.host}:{settings.grpc_port}")
        table.add_row("metrics", f"{api.base_url}/metrics")
    table.add_row("admin token", str(settings.data / "run" / "admin-token"))
    table.add_row("logs", str(settings.data / "logs"))
    table.add_row("stop", f"kill -TERM {Installation(settings, {}).processes().get('supervisor', '?')}")
    console.print("The services stay up:")
    console.print(table)
    console.print(f"[italic]{NOTICE} {DEMONSTRATION_NOTICE}[/]")
