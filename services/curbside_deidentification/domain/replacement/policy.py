"""What becomes of each category, and on which legal basis: read from YAML, named by its hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from curbside.errors import BadInput
from curbside.phi import PLACEHOLDER, PLACEHOLDER_WORDS, Category

POLICIES: Final = Path(__file__).parents[1] / "policies"
SHIPPED: Final = ("safe_harbor", "expert_determination", "tags")


class Action(StrEnum):
    """What takes the place of a mention."""

    SURROGATE = "surrogate"  # a realistic one of the same shape, the same for a subject
    TAG = "tag"  # [NAME], and [NAME_2] for the next that differs
    PSEUDONYM = "pseudonym"  # a code computed under the subject's key
    SHIFT = "shift"  # the date moved by the subject's offset
    YEAR = "year"  # of a date, its year
    GENERALISE = "generalise"  # "90 or older"; the state and three digits of a ZIP code


class LegalBasis(StrEnum):
    """Why what is left is not protected health information: 45 CFR 164.514(b)(2), and (b)(1)."""

    SAFE_HARBOR = "safe_harbor"
    EXPERT_DETERMINATION = "expert_determination"


class Subjects(StrEnum):
    """How patients are named in what is released."""

    RANDOM = "random"
    KEYED = "keyed"


class BadReplacementPolicy(BadInput):
    """A policy that cannot be followed, or that contradicts its own legal basis."""

    code = "deid.bad-replacement-policy"
    title = "The replacement policy cannot be used"


@dataclass(frozen=True, slots=True)
class Rule:
    """`tag` is the word in brackets: what `action` falls back to where it cannot do its work safely."""

    action: Action
    tag: str

    def is_tag(self, written: str) -> bool:
        """Whether `written` is the tag, numbered or not."""
        return re.fullmatch(rf"\[{self.tag}(?:_\d+)?\]", written) is not None

    def writes(self, written: str) -> bool:
        """Whether `written` is of the form that `action` writes. What it falls back to is not."""
        if self.action is Action.TAG:
            return self.is_tag(written)
        code = PLACEHOLDER.fullmatch(written) is not None and not self.is_tag(written)
        if self.action is Action.PSEUDONYM:
            return code and written.startswith(f"[{self.tag}_")
        return self.action in (Action.SURROGATE, Action.SHIFT) and not (code or self.is_tag(written))


@dataclass(frozen=True)
class ReplacementPolicy:
    """`label` is what results carry: the policy's name, its legal basis and the hash of file and lists.

    Where `numbered`, tags are told apart within a patient, so that they can be turned back.
    """

    label: str
    name: str
    basis: LegalBasis
    subjects: Subjects
    numbered: bool
    rules: Mapping[Category, Rule]

    @property
    def table(self) -> str:
        """Whose table of a patient's replacements it reads and grows: its label without the hash, since a
        list that grows makes nobody another person."""
        return self.label.rpartition(":")[0]

    @property
    def keeps_mapping(self) -> bool:
        """Whether something is kept of what stood in a mention's place, so that it can be turned back."""
        kept = {Action.SURROGATE, Action.PSEUDONYM, Action.SHIFT}
        return self.numbered or any(rule.action in kept for rule in self.rules.values())


# What only one kind of value can become.
_ONLY_FOR: Final = {
    Action.SHIFT: {Category.DATE},
    Action.YEAR: {Category.DATE},
    Action.GENERALISE: {Category.AGE, Category.LOCATION},
}
# A date or an age that looks real but is none would be taken for a finding.
_NO_SURROGATE: Final = {Category.DATE, Category.AGE, Category.BIOMETRIC, Category.PHOTO}
# A made-up name or place is no code. A made-up number is one, computed from the number it stands for.
_SURROGATE_BY_SAFE_HARBOR: Final = {Category.NAME, Category.FACILITY, Category.LOCATION}


def shipped_policy(name: str) -> ReplacementPolicy:
    """One of `SHIPPED`."""
    if name not in SHIPPED:
        raise BadReplacementPolicy(
            f"there is no replacement policy {name!r}", field="name", mend=f"Use one of {', '.join(SHIPPED)}."
        )
    return load_replacement_policy(POLICIES / f"{name}.yaml")


def policy_of(label: str) -> ReplacementPolicy | None:
    """The policy that a result's `label` names behind what PHI was found by; None of placeholders alone."""
    name = label.partition("+")[2].partition(":")[0]
    return shipped_policy(name) if name else None


def keeps_mapping(label: str) -> bool:
    """Whether the policy that a result's `label` names keeps what stood in the place of its mentions."""
    policy = policy_of(label)
    return policy is not None and policy.keeps_mapping


@cache
def load_replacement_policy(path: Path) -> ReplacementPolicy:
    """The policy in `path`. Raises BadReplacementPolicy, which names the field and what to write instead.

    Every category has a rule: one that is missing is an error, not a default.
    """
    content = path.read_bytes()
    try:
        data = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise BadReplacementPolicy(f"{path.name} is not YAML", mend="Mend its syntax.") from error
    if not isinstance(data, dict) or not isinstance(data.get("categories"), dict):
        raise BadReplacementPolicy(
            f"{path.name} has no categories", field="categories", mend="Give each category an action."
        )
    basis = LegalBasis(_one_of(data.get("basis"), LegalBasis, "basis", path))
    subjects = Subjects(_one_of(data.get("subjects"), Subjects, "subjects", path))
    numbered = data.get("numbered_tags")
    if not isinstance(numbered, bool):
        raise BadReplacementPolicy(
            f"{path.name} says numbered_tags: {numbered!r}", field="numbered_tags", mend="Use true or false."
        )
    rules = {category: _rule(data["categories"], category, path) for category in Category}
    unknown = sorted(set(map(str, data["categories"])) - set(Category))
    if unknown:
        raise BadReplacementPolicy(
            f"{path.name} has rules for {', '.join(map(repr, unknown))}, which are no categories",
            field="categories",
            mend=f"Use {', '.join(Category)}.",
        )
    if basis is LegalBasis.SAFE_HARBOR:
        _require_safe_harbor(rules, subjects, path)
    digest = hashlib.sha256(content)
    for lists in sorted((Path(__file__).parent / "data").glob("*.txt")):
        digest.update(lists.read_bytes())
    name = str(data.get("name") or path.stem)
    return ReplacementPolicy(
        label=f"{name}:{basis}:{digest.hexdigest()[:12]}",
        name=name,
        basis=basis,
        subjects=subjects,
        numbered=numbered,
        rules=MappingProxyType(rules),
    )


def _one_of(value: Any, allowed: type[StrEnum], field: str, path: Path) -> str:
    if value not in list(allowed):
        raise BadReplacementPolicy(
            f"{path.name} says {field}: {value!r}", field=field, mend=f"Use one of {', '.join(allowed)}."
        )
    return str(value)


def _rule(entries: Mapping[str, Any], category: Category, path: Path) -> Rule:
    field = f"categories.{category}.action"
    entry = entries.get(category.value)
    if not isinstance(entry, dict):
        raise BadReplacementPolicy(
            f"{path.name} says nothing of {category}", field=field, mend="Every category needs an action."
        )
    action = Action(_one_of(entry.get("action"), Action, field, path))
    only_for = _ONLY_FOR.get(action)
    if only_for is not None and category not in only_for:
        raise BadReplacementPolicy(
            f"{path.name} asks to {action} {category}",
            field=field,
            mend=f"The action {action} is for {', '.join(sorted(only_for))}; use tag.",
        )
    if action is Action.SURROGATE and category in _NO_SURROGATE:
        raise BadReplacementPolicy(
            f"{path.name} asks for a surrogate of {category}",
            field=field,
            mend="Use shift, year or tag for a date, generalise or tag for an age, tag or pseudonym else.",
        )
    tag = str(entry.get("tag", category.value))
    if tag not in PLACEHOLDER_WORDS:
        # Another would be read as a name where a text is read again.
        raise BadReplacementPolicy(
            f"{path.name} has the tag {tag!r}",
            field=f"categories.{category}.tag",
            mend=f"Use {', '.join(sorted(PLACEHOLDER_WORDS))}.",
        )
    return Rule(action, tag)


def _require_safe_harbor(rules: Mapping[Category, Rule], subjects: Subjects, path: Path) -> None:
    """Refuse what 45 CFR 164.514(b)(2) does not allow without an expert."""
    otherwise = f"or give the policy the basis {LegalBasis.EXPERT_DETERMINATION}"
    if subjects is not Subjects.RANDOM:
        raise BadReplacementPolicy(
            f"{path.name} keys its subjects under safe_harbor: such a code is derived, 45 CFR 164.514(c)(1)",
            field="subjects",
            mend=f"Use random, {otherwise}.",
        )
    for category, rule in rules.items():
        reason = None
        if rule.action is Action.SHIFT:
            reason, instead = "a moved date still has its elements, 45 CFR 164.514(b)(2)(i)(C)", "year or tag"
        elif rule.action is Action.PSEUDONYM or (
            rule.action is Action.SURROGATE and category not in _SURROGATE_BY_SAFE_HARBOR
        ):
            reason, instead = "a code computed from an identifier is derived, 45 CFR 164.514(c)(1)", "tag"
        if reason is not None:
            raise BadReplacementPolicy(
                f"{path.name} has the action {rule.action} for {category} under safe_harbor: {reason}",
                field=f"categories.{category}.action",
                mend=f"Use {instead}, {otherwise}.",
            )
