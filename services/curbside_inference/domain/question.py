"""A question: one of the four tasks, asked of a pasted text or of a stored report."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from curbside.contracts.tasks import Task
from curbside.phi import PhiText
from curbside_inference.domain.problems import BadQuestion, ReportTooLong, UnknownModel, UnknownTask

# What names the base model in a question and in an opinion.
BASE: Final = "base"
EMBEDDED: Final = "embedded"
# What engines and settings call a base model ("tgi" is TGI's own name for it); no version has such a name.
RESERVED: Final = frozenset({BASE, EMBEDDED, "tgi"})
# A version is also a directory's name: no separators, no leading dot.
VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_REPORT_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A report that Curbside has de-identified before, by its id."""

    report_id: str


@dataclass(frozen=True, slots=True)
class Question:
    """`prior` is there for `compare`, and only for it. `model` None asks the promoted version."""

    task: Task
    report: PhiText | Stored
    prior: PhiText | Stored | None = None
    model: str | None = None


def question_of(
    *,
    task: str,
    report: str | None = None,
    report_id: str | None = None,
    prior: str | None = None,
    prior_report_id: str | None = None,
    model: str | None = None,
    max_characters: int,
) -> Question:
    """The question in a request's fields. Raises BadInput naming the field that is wrong."""
    if task not in set(Task):
        raise UnknownTask(
            f"there is no task {task[:40]!r}", field="task", mend=f"Use one of {', '.join(Task)}."
        )
    asked = Task(task)
    about = _text("report", report, "report_id", report_id, max_characters)
    if about is None:
        raise BadQuestion("there is no report", field="report", mend="Send its text, or its report_id.")
    before = _text("prior", prior, "prior_report_id", prior_report_id, max_characters)
    if asked is Task.COMPARE and before is None:
        raise BadQuestion(
            "the task 'compare' needs a prior report",
            field="prior",
            mend="Send the prior report's text as `prior`, or its id as `prior_report_id`.",
        )
    if asked is not Task.COMPARE and before is not None:
        raise BadQuestion(
            f"the task {asked.value!r} takes no prior report",
            field="prior",
            mend="Leave `prior` and `prior_report_id` out, or ask 'compare'.",
        )
    if model is not None and not VERSION.fullmatch(model):
        raise UnknownModel("there is no model of that name", field="model", mend="Leave `model` out.")
    return Question(asked, about, before, model)


def _text(
    field: str, text: str | None, id_field: str, report_id: str | None, max_characters: int
) -> PhiText | Stored | None:
    if text is not None and report_id is not None:
        raise BadQuestion(f"both `{field}` and `{id_field}` are there", field=field, mend="Send one of them.")
    if report_id is not None:
        if not _REPORT_ID.fullmatch(report_id):
            raise BadQuestion(
                "that is no report's id", field=id_field, mend="Use the id that ingestion gave."
            )
        return Stored(report_id)
    if text is None:
        return None
    if not text.strip():
        raise BadQuestion("the text is empty", field=field, mend="Send the report's text.")
    if len(text) > max_characters:
        raise ReportTooLong(
            f"the text has {len(text)} characters, and at most {max_characters} are taken",
            field=field,
            mend="Send the part that the question is about.",
            limit=max_characters,
            unit="characters",
        )
    if "\0" in text:  # as ingestion does: it is no character of a report, and PostgreSQL keeps none
        raise BadQuestion("the text holds a NUL character", field=field, mend="Send the report's text.")
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell and UTF-8 cannot
        raise BadQuestion("the text is not valid Unicode", field=field, mend="Send UTF-8.") from None
    return PhiText(text)
