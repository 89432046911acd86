"""One table per stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.table import Table

from curbside.demo.ledger import Ledger
from curbside.demo.reports import Posted
from curbside.runtime.reading import console

_FIGURES: Final = {
    "rouge_l": "ROUGE-L",
    "diagnosis_accuracy": "diagnosis exact",
    "comparison_accuracy": "comparison right",
    "perplexity": "perplexity",
}


def _table(title: str, *columns: str) -> Table:
    """A table that is at least as wide as its title, which Rich would break otherwise."""
    return Table(*columns, title=title, min_width=len(title) + 2)


def show_posts(posted: Posted) -> None:
    table = _table("Intake", "posted", "reports")
    table.add_row("acknowledged (202)", str(posted.accepted))
    table.add_row("already there (409)", str(posted.already_there))
    for code, count in sorted((posted.refused or {}).items()):
        table.add_row(f"refused: {code}", str(count))
    table.add_row("[bold]all[/]", f"[bold]{posted.total}[/]")
    console.print(table)


def show_ledger(ledger: Ledger) -> None:
    table = _table("Where every acknowledged report is", "ledger", "reports")
    for state, count in ledger.states.items():
        table.add_row(state, str(count))
    table.add_row("[bold]received[/]", f"[bold]{ledger.received}[/] = {sum(ledger.states.values())}")
    table.add_section()
    table.add_row("with examples", str(ledger.with_examples))
    for reason, count in sorted(ledger.without_examples.items()):
        table.add_row(f"without: {reason}", str(count))
    accounted = ledger.with_examples + sum(ledger.without_examples.values())
    table.add_row("[bold]seen by datasets[/]", f"[bold]{ledger.mined}[/] = {accounted}")
    if ledger.answers_dropped:
        table.add_section()
    for reason, count in sorted(ledger.answers_dropped.items()):
        table.add_row(f"answer dropped, {reason}", str(count))
    console.print(table)


def show_splits(manifest: Mapping[str, Any]) -> None:
    table = _table(f"Dataset {manifest['version']}", "split", "patients", "reports", "examples")
    for split, part in manifest["splits"].items():
        table.add_row(split, str(part["subjects"]), str(part["reports"]), str(part["examples"]))
    console.print(table)
    basis = manifest["legal_basis"]
    console.print(f"  legal basis: {basis['basis']}, patients by {basis['subjects']} codes")
    for check, outcome in manifest["checks"].items():
        console.print(f"  {check.replace('_', ' ')}: {outcome}")


def show_evaluation(evaluation: Mapping[str, Any]) -> None:
    """Base and tuned side by side, each figure with its 95 % interval; held-out phrasings apart."""
    groups = evaluation["groups"]
    for group, title in (
        ("held_out", "Held-out patients"),
        ("test", "… of seen phrasings"),
        ("holdout", "… of held-out phrasings"),
    ):
        figures = groups.get(group)
        if not figures or (group == "test" and "holdout" not in groups):
            continue  # reports of one's own have no held-out phrasings: all are the first table's
        variants = [name for name in ("base", "constant", "tuned") if name in figures]
        table = _table(f"{title} ({figures['base']['questions']} questions)", "figure", *variants)
        for name, label in _FIGURES.items():
            table.add_row(label, *(_figure(figures[variant].get(name)) for variant in variants))
        console.print(table)


def _figure(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    return f"{figure['value']:.2f} ({figure['low']:.2f}-{figure['high']:.2f})"
