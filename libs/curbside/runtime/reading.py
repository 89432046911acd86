"""Commands that read and ask over the HTTP API, and how their answers are printed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from curbside.contracts.tasks import Task
from curbside.errors import BadInput, CurbsideError, Unavailable
from curbside.runtime.client import Api, ApiProblem, may_pass

console = Console()
_POLL_SECONDS = 0.5
# From one service's outbox to another's records, over a bus whose consumers may just have started.
_ON_ITS_WAY = timedelta(minutes=1)


class BadArgument(BadInput):
    code = "command.bad-argument"


class WorkFailed(CurbsideError):
    """A build or a run ended without its result."""

    code = "command.work-failed"


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def show(api: Api, path: str) -> None:
    print_json(api.get(path))


def progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),  # "44/?" where nobody knows how many there are
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )


def build_dataset(api: Api, name: str, recipe: dict[str, Any] | None = None) -> str:
    """Build and wait; the version. Raises WorkFailed with the build's problem."""
    build = api.post("/datasets/v1/builds", {"name": name, "recipe": recipe or {}})
    with progress_bar() as bar:
        task = bar.add_task("building the dataset", total=1, note="")
        while build["state"] not in ("published", "failed"):
            time.sleep(_POLL_SECONDS)
            with going_on(f"The build {build['build_id']} goes on."):
                build = api.poll(f"/datasets/v1/builds/{build['build_id']}")
            bar.update(task, completed=build["done"], total=max(build["total"], 1))
        bar.update(task, note=build["version"] or build["state"])
    if build["state"] == "failed":
        problem = build["problem"] or {}
        raise WorkFailed(
            f"the dataset was not published: {problem.get('detail', 'see the log of web')}",
            mend=problem.get("mend"),
        )
    return str(build["version"])


def wait_for_run(api: Api, run_id: str) -> dict[str, Any]:
    """Follow a run with a bar per phase; the run. Raises WorkFailed with its reason."""
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}
        while True:
            with going_on(f"The run {run_id} goes on: `curbside runs {run_id}` shows it."):
                run: dict[str, Any] = api.poll(f"/training/v1/runs/{run_id}")
            state = run["state"]
            if state in ("succeeded", "failed", "cancelled"):
                _complete(bar, tasks, run)
                break
            if state not in tasks:
                _complete(bar, tasks, run)
                tasks[state] = bar.add_task(f"{state} {run_id}", total=1, note="")
            training = state == "training"
            loss = f"loss {run['loss']:.3f}" if training and run.get("loss") else ""
            bar.update(
                tasks[state],
                completed=(run["step"] if training else run["phase_done"]) or 0,
                total=max((run["steps"] if training else run["phase_total"]) or 1, 1),
                note=loss,
            )
            time.sleep(_POLL_SECONDS)
    if run["state"] != "succeeded":
        raise WorkFailed(f"the run {run_id} {run['state']}: {run['reason']}")
    return run


@contextmanager
def going_on(what: str) -> Iterator[None]:
    """Whoever gives up to wait is told that the work does not."""
    try:
        yield
    except CurbsideError as error:
        if not may_pass(error):
            raise
        raise Unavailable(error.message, mend=f"{what} {error.mend or ''}".rstrip()) from error


def _complete(bar: Progress, tasks: dict[str, Any], run: dict[str, Any]) -> None:
    """Show the phases so far as over; a training that its time limit ended, with the steps that it took."""
    for state, task in tasks.items():
        taken, planned = run["step"] or 0, run["steps"] or 0
        if state == "training" and 0 < taken < planned:
            bar.update(task, completed=taken, total=taken, note=f"of {planned}, time is up")
        else:
            bar.update(task, completed=bar.tasks[task].total)


def _id(header: str) -> Column:
    """A column of ids, which the next command needs whole."""
    return Column(header, no_wrap=True)


def list_datasets(api: Api) -> None:
    table = Table(_id("version"), "name", "created", "legal basis", "examples by split")
    for version in api.get("/datasets/v1/versions")["versions"]:
        splits = ", ".join(f"{split} {part['examples']}" for split, part in version["splits"].items())
        basis = version.get("legal_basis", {}).get("basis", "not stated")  # by releases before it was
        table.add_row(version["version"], version["name"], version["created_at"][:16], basis, splits)
    console.print(table)


def list_runs(api: Api) -> None:
    table = Table(_id("run"), "state", Column("dataset", overflow="fold"), "step", _id("model"), "reason")
    for run in api.get("/training/v1/runs")["runs"]:
        table.add_row(
            run["run_id"],
            run["state"],
            run["dataset_version"],
            f"{run['step']}/{run['steps']}",
            run["model_version"] or "",
            run["reason"] or "",
        )
    console.print(table)


def list_models(api: Api) -> None:
    fold = partial(Column, overflow="fold")
    table = Table(_id("version"), "aliases", fold("dataset"), "ROUGE-L", "diagnosis", fold("created"))
    for model in api.get("/training/v1/models")["models"]:
        figures = model["evaluation"]["groups"]["held_out"]["tuned"]
        table.add_row(
            model["version"],
            ", ".join(model["aliases"]),
            model["dataset_version"],
            *(_share(figures[name]["value"]) for name in ("rouge_l", "diagnosis_accuracy")),
            model["created_at"][:16],
        )
    console.print(table)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def queue_run(api: Api, version: str, recipe: dict[str, Any]) -> dict[str, Any]:
    """The queued run. A version that was published a moment ago may still be on its way to training."""
    deadline = time.monotonic() + _ON_ITS_WAY.total_seconds()
    while True:
        try:
            run: dict[str, Any] = api.post(
                "/training/v1/runs", {"dataset_version": version, "recipe": recipe}
            )
        except ApiProblem as problem:
            unknown = problem.body.get("code") == "training.unknown-dataset"
            if not unknown or time.monotonic() > deadline or not _is_published(api, version):
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return run


def _is_published(api: Api, version: str) -> bool:
    try:
        api.get(f"/datasets/v1/versions/{version}")
    except ApiProblem:
        return False
    return True


def train_and_wait(api: Api, recipe: Path, dataset: str) -> None:
    import yaml

    try:
        parsed = yaml.safe_load(recipe.read_text("utf-8"))
    except OSError as error:
        raise BadArgument(f"{str(recipe)!r} cannot be read: {error.strerror}", field="RECIPE") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadArgument(
            f"{str(recipe)!r} is no readable YAML ({type(error).__name__})", field="RECIPE"
        ) from None
    run = queue_run(api, dataset, parsed)
    finished = wait_for_run(api, run["run_id"])
    console.print(f"{finished['run_id']} registered [bold]{finished['model_version']}[/]")


def ask_opinion(api: Api, task: str, report: Path, prior: Path | None) -> None:
    if task not in set(Task):
        raise BadArgument(f"there is no task {task!r}", field="--task", mend=f"Use one of {', '.join(Task)}.")
    if task == Task.COMPARE and prior is None:
        raise BadArgument(
            "the task 'compare' needs a prior report", field="--prior", mend="Name its file with --prior."
        )
    if task != Task.COMPARE and prior is not None:
        raise BadArgument(
            f"the task {task!r} takes no prior report",
            field="--prior",
            mend="Leave --prior out, or ask --task compare.",
        )
    body = {"task": task, "report": read_text(report)}
    if prior is not None:
        body["prior"] = read_text(prior)
    print_opinion(api.post("/inference/v1/opinions", body))


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadArgument(f"{str(path)!r} cannot be read: {error.strerror}", field="REPORT") from None
    except UnicodeDecodeError:
        raise BadArgument(f"{str(path)!r} is not UTF-8 text", field="REPORT", mend="Convert it.") from None


def print_opinion(opinion: dict[str, Any]) -> None:
    """The answer, what it rests on, and the notice, always together."""
    evidence = "\n".join(f"  · {escape(piece['text'])}" for piece in opinion["evidence"])
    notice = " ".join(filter(None, (opinion["notice"], opinion.get("demonstration_notice"))))
    cut = ("[dim]The answer was cut at its length limit.[/]",) if opinion["truncated"] else ()
    body = "\n\n".join(
        (
            escape(opinion["answer"]),
            *cut,
            f"[dim]Sentences that share its words:\n{evidence or '  none found'}[/]",
            f"[italic]{notice}[/]",
        )
    )
    console.print(Panel(body, title=f"{opinion['task']} · {opinion['model_version']}", title_align="left"))
