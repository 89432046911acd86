"""What of a report a model is shown: its body, without answers, plans, letterhead and sign-off.

A second opinion is formed from what was found. Were the author's impression among it, the model would
repeat it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from curbside.phi import SafeText
from curbside.segmentation.cleaning import clean
from curbside.segmentation.sections import OTHER, Kind, Section, lexicon_policy, segment

RULE: Final = "segmentation.model-input:1"
_PLACEHOLDER: Final = re.compile(r"\[[A-Z_]+\d*\]")


def model_input(text: SafeText) -> SafeText:
    """`text` in the form that models are trained on; only cleaned where it has no sections to tell apart."""
    return clean(text).derive(RULE, lambda cleaned: standard_form(segment(cleaned)) or cleaned)


def standard_form(sections: Sequence[Section]) -> str:
    """`HEADING: content` of each section that is shown, a line each; empty where none is."""
    return "\n".join(
        f"{section.heading.upper()}: {content}"
        for section in shown(sections)
        if (content := content_of(section))
    )


def shown(sections: Sequence[Section]) -> Iterator[Section]:
    """The sections of an input. One of an unknown heading that follows an answer or a plan may be its
    continuation ("IMPRESSION: … HYPERTENSION: …"), and is left out with it."""
    telling = False
    for section in sections:
        if section.name != OTHER:
            telling = section.kind in (Kind.ANSWER, Kind.DROP) and section.name != "administration"
        if section.kind in (Kind.BODY, Kind.FINDINGS) and not telling:
            yield section


def content_of(section: Section) -> str:
    """A section's text on one line, without the lines of letterhead and sign-off."""
    lines = [line for line in section.text.split("\n") if line.strip() and not is_signature(line)]
    return " ".join(line.strip() for line in lines)


def is_signature(line: str) -> bool:
    rest = _PLACEHOLDER.sub("", line)
    if rest != line and not re.search(r"[A-Za-z]{3}", rest):
        return True
    folded = line.casefold().strip()
    return _PLACEHOLDER.search(line) is not None and any(
        folded.startswith(cue) or f" {cue}" in folded for cue in lexicon_policy()["signature"]
    )
