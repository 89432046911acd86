"""A patient's mappings, one for each policy: what one policy wrote, no other one writes or turns back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.replacement.mapping import SubjectMapping, Surrogates
from curbside_deidentification.domain.replacement.policy import (
    LegalBasis,
    ReplacementPolicy,
    policy_of,
    shipped_policy,
)
from curbside_deidentification.domain.replacement.replacing import restore

_FORMAT: Final = 2
# The policies that kept something while all of them shared one mapping.
_SHARED: Final = ("expert_determination", "tags")


@dataclass(frozen=True, slots=True)
class Made:
    """By which policy a text was de-identified, as its label says, and when."""

    label: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SubjectTables:
    """`by_policy` has the mapping of each `ReplacementPolicy.table`.

    `shared` is the one that earlier releases kept for all policies together, until `shared_until`, or until
    now where that is None. It is never written again: it turns texts back that were made then.
    """

    by_policy: Mapping[str, SubjectMapping] = field(default_factory=dict, repr=False)
    shared: SubjectMapping | None = field(default=None, repr=False)
    shared_until: datetime | None = None

    @property
    def is_shared(self) -> bool:
        """Whether an earlier release wrote last: what is made from now on is told from what was made then."""
        return self.shared is not None and self.shared_until is None

    def of(self, policy: ReplacementPolicy) -> SubjectMapping:
        """What `policy` wrote: where it has no mapping yet, what of the shared one it alone can have
        written, so that who was one person stays one."""
        kept = self.by_policy.get(policy.table)
        if kept is not None:
            return kept
        if self.shared is None or policy.table not in {shipped_policy(name).table for name in _SHARED}:
            return SubjectMapping()
        return _written_by(policy, self.shared)

    def keep(self, policy: ReplacementPolicy, mapping: SubjectMapping, *, at: datetime) -> SubjectTables:
        """These with `mapping` as that of `policy`, written at `at`."""
        until = at if self.is_shared else self.shared_until
        by_policy = MappingProxyType({**self.by_policy, policy.table: mapping})
        return replace(self, by_policy=by_policy, shared_until=until)

    def originals_besides(self, policy: ReplacementPolicy) -> Iterator[str]:
        """What stood in the patient's texts that other policies replaced: no surrogate may say it."""
        others = [mapping for table, mapping in self.by_policy.items() if table != policy.table]
        for mapping in (*others, *([] if self.shared is None else [self.shared])):
            for originals in mapping.mentions.values():
                yield from originals

    def restored_by(self, text: str, policy: ReplacementPolicy) -> str:
        """`text` with what `policy` wrote turned back, and nothing else."""
        return restore(text, self.of(policy))

    def restored(self, text: str, made: Iterable[Made]) -> str:
        """A text that was `made` once, or of several that were, with what their policies wrote turned back.

        A tag is turned back only where every one of them is of one policy: another may have left it, and
        nobody could tell. Of what nobody says how it was made, all the patient's mappings are looked up.
        """
        told = [(policy_of(one.label), one.at) for one in made]
        if not told:
            known = [*self.by_policy.values()] or [self.shared or SubjectMapping()]
            return restore(text, *known, tags=len(known) == 1)
        keeping = [(policy, at) for policy, at in told if policy is not None and policy.keeps_mapping]
        by_table = {policy.table: self.of(policy) for policy, _ in keeping}
        one_policy = len(by_table) == 1 and len(keeping) == len(told)
        mappings = [*by_table.values()]
        if self.shared is not None and any(self._is_shared_at(at) for _, at in keeping):
            mappings.append(self.shared)
        return restore(text, *mappings, tags=one_policy)

    def to_json(self) -> str:
        return json.dumps(
            {
                "format": _FORMAT,
                "by_policy": {table: mapping.to_json() for table, mapping in self.by_policy.items()},
                "shared": None if self.shared is None else self.shared.to_json(),
                "shared_until": None if self.shared_until is None else self.shared_until.isoformat(),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> SubjectTables:
        """Also from the one mapping that earlier releases kept."""
        data = json.loads(text)
        if data["format"] != _FORMAT:
            return cls(shared=SubjectMapping.from_json(text))
        return cls(
            MappingProxyType(
                {table: SubjectMapping.from_json(mapping) for table, mapping in data["by_policy"].items()}
            ),
            None if data["shared"] is None else SubjectMapping.from_json(data["shared"]),
            None if data["shared_until"] is None else datetime.fromisoformat(data["shared_until"]),
        )

    def _is_shared_at(self, at: datetime) -> bool:
        return self.shared_until is None or at < self.shared_until


def _written_by(policy: ReplacementPolicy, shared: SubjectMapping) -> SubjectMapping:
    """What of a mapping that several policies wrote `policy` alone can have written, by its form.

    Tags are of `tags`: also `expert_determination` wrote some where it had no surrogate, and does without.
    """
    mentions: dict[Category, dict[str, tuple[str, ...]]] = {}
    for category, originals in shared.mentions.items():
        for original, surrogates in originals.items():
            own = tuple(filter(policy.rules[category].writes, surrogates))
            if own:
                mentions.setdefault(category, {})[original] = own
    expert = policy.basis is LegalBasis.EXPERT_DETERMINATION
    parts: Surrogates = shared.parts if expert else {}
    return SubjectMapping(mentions, parts)
