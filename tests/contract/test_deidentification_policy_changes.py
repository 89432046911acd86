"""A tenant's policy changes back and forth as a patient's reports come: each text is of one policy alone."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from curbside.contracts import codec
from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.contracts.events import new_event
from curbside.contracts.topics import REPORTS_DEIDENTIFIED
from curbside.contracts.v1 import events_pb2
from curbside.identity.principal import Principal, Role
from curbside.phi import PLACEHOLDER, PhiText
from curbside.storage.blobs import BlobRef
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_deidentification import handlers, reversal, store
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.replacement import SubjectTables, shipped_policy
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pipeline import Result, deidentify
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.replacements import Replacements, UnknownPolicy
from curbside_deidentification.reversal import Kind
from curbside_deidentification.settings import DeidentificationSettings

pytestmark = pytest.mark.usefixtures("halves")

SUBJECT = "ab" * 32
TEXT = "Mary Poole (MRN: 4471902) was seen on 3/4/2023 by Dr. Lena Holmquist."
KNOWN = KnownIdentifiers(names=(PhiText("Mary Poole"), PhiText("Lena Holmquist")))
AS_WRITTEN = {
    "placeholders": "[NAME] (MRN: [MRN]) was seen on [DATE] by Dr. [NAME].",
    "safe_harbor": "[NAME] (MRN: [MRN]) was seen on 2023 by Dr. [NAME].",
    "tags": "[NAME] (MRN: [MRN]) was seen on [DATE] by Dr. [NAME_2].",
}
ORDERS = [
    ("expert_determination", "tags", "expert_determination", "safe_harbor", "placeholders", "tags"),
    ("tags", "expert_determination", "placeholders", "tags", "safe_harbor", "expert_determination"),
]
CALLER = Principal("token:test", "default", frozenset({Role.ADMINISTRATOR}))
AMY = Principal("token:amy", "default", frozenset({Role.PRIVACY_OFFICER}))
BEN = Principal("token:ben", "default", frozenset({Role.PRIVACY_OFFICER}))


class Rules:
    """The detector without its model."""

    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
        return list(find_by_rule(text, lexicon))


async def found(document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
    return deidentify(document, Rules(), load_policy())


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("deidentification", tmp_path) as opened:
        yield opened


def replacements(opened: TestPlatform, policy: str) -> Replacements:
    settings = DeidentificationSettings.model_validate({"replacement": policy})
    return Replacements(settings, blobs=opened.platform.blobs, ring=opened.platform.ring)


async def shielded(opened: TestPlatform, policy: str) -> Result:
    return await handlers.shield(
        PhiDocument(PhiText(TEXT), KNOWN),
        tenant="default",
        subject=SUBJECT,
        database=opened.platform.database,
        replacements=replacements(opened, policy),
        deidentify=found,
    )


async def restored(opened: TestPlatform, policy: str, text: str, label: str = "") -> str:
    answer = await handlers.restore(
        CALLER,
        PhiText(text),
        SUBJECT,
        label,
        database=opened.platform.database,
        replacements=replacements(opened, policy),
    )
    return answer.reveal()


async def handle(opened: TestPlatform, report_id: str, policy: str) -> None:
    document = codec.to_bytes(PhiDocument(PhiText(TEXT), KNOWN, PhiText("2023-03-04")))
    ref = await opened.platform.blobs.put(Zone.PHI, document, tenant="default", subject=SUBJECT)
    await handlers.deidentify_report(
        new_event(
            events_pb2.ReportReceived(report_id=report_id, text=ref.to_message()),
            tenant="default",
            subject=SUBJECT,
        ),
        database=opened.platform.database,
        blobs=opened.platform.blobs,
        replacements=replacements(opened, policy),
        deidentify=found,
        policy=load_policy().label,
    )


async def passed_on(opened: TestPlatform) -> dict[str, tuple[Any, str]]:
    """By report, what was published and its text."""
    payloads: list[Any] = [event.payload for event in await opened.published(REPORTS_DEIDENTIFIED)]
    return {
        one.report_id: (one, (await opened.platform.blobs.get(BlobRef.from_message(one.text))).decode())
        for one in payloads
    }


async def turned_back(opened: TestPlatform, kind: Kind, target: str) -> str:
    """As two people do it, while whichever policy is in force."""
    database, policy = opened.platform.database, replacements(opened, "placeholders")
    times = DeidentificationSettings()
    asked = await reversal.request_reversal(
        AMY,
        kind,
        target,
        "safety.recall",
        lifetime=times.reversal_request_lifetime,
        database=database,
        replacements=policy,
    )
    await reversal.approve_reversal(
        BEN, asked.reversal_id, read_within=times.reversal_read_within, database=database
    )
    _, text = await reversal.read_reversal(
        AMY, asked.reversal_id, database=database, blobs=opened.platform.blobs, replacements=policy
    )
    return text.reveal()


async def opinion(opened: TestPlatform, answer: str) -> None:
    data = json.dumps({"answer": answer, "evidence": []}).encode()
    output = await opened.platform.blobs.put(Zone.SAFE, data, tenant="default", subject=SUBJECT)
    await opened.deliver(
        new_event(
            events_pb2.OpinionGiven(opinion_id="o1", report_id="r1", output=output.to_message()),
            tenant="default",
            subject=SUBJECT,
        )
    )


async def share(opened: TestPlatform, *policies: str) -> None:
    """Keep the patient's mappings as one, of no policy, as earlier releases did."""
    database, blobs = opened.platform.database, opened.platform.blobs
    async with database.begin(SUBJECT) as transaction:
        kept = await store.find_mapping(transaction.session, "default", SUBJECT)
        assert kept is not None
        data = json.loads(await blobs.get(kept.ref))
        tables = SubjectTables.from_json(data["mapping"])
        shared: dict[str, Any] = {"format": 1, "mentions": {}, "parts": {}}
        for policy in map(shipped_policy, policies):
            one = json.loads(tables.of(policy).to_json())
            for part in ("mentions", "parts"):
                for category, originals in one[part].items():
                    there = shared[part].setdefault(category, {})
                    for original, surrogates in originals.items():
                        there[original] = [*there.get(original, []), *surrogates]
        old = json.dumps({"key": data["key"], "mapping": json.dumps(shared)}).encode()
        ref = await blobs.put(Zone.PHI, old, tenant="default", subject=SUBJECT)
        await store.keep_mapping(
            transaction.session,
            "default",
            SUBJECT,
            store.KeptMapping(ref, kept.key_mark),
            at=datetime.now(UTC),
        )


def require_of(policy: str, text: str, by_expert: str | None) -> str:
    """What an expert's policy made of the text, the same every time; all else is as its policy writes it."""
    if policy != "expert_determination":
        assert text == AS_WRITTEN[policy]
        return by_expert or ""
    assert not PLACEHOLDER.search(text)
    assert not re.search(r"Poole|Holmquist|4471902|3/4/2023", text)
    assert by_expert in (None, "", text)
    return text


@pytest.mark.parametrize("order", ORDERS)
async def test_nothing_goes_out_under_a_policy_that_did_not_write_it(
    opened: TestPlatform, order: tuple[str, ...]
) -> None:
    by_expert = None
    for number, policy in enumerate(order):
        await handle(opened, f"r{number}", policy)
        one, text = (await passed_on(opened))[f"r{number}"]
        by_expert = require_of(policy, text, by_expert)
        assert one.legal_basis == ("expert_determination" if by_expert == text else "safe_harbor")
    for number, policy in enumerate(order):
        if policy in ("placeholders", "safe_harbor"):
            with pytest.raises(reversal.NotReversible):
                await turned_back(opened, Kind.REPORT, f"r{number}")
        else:
            assert await turned_back(opened, Kind.REPORT, f"r{number}") == TEXT


@pytest.mark.parametrize("order", ORDERS)
async def test_a_callers_text_is_turned_back_by_the_policy_that_made_it(
    opened: TestPlatform, order: tuple[str, ...]
) -> None:
    by_expert, made = None, []
    for policy in order:
        result = await shielded(opened, policy)
        text = result.replaced.reveal()
        by_expert = require_of(policy, text, by_expert)
        made.append((policy, text, result.policy))
    for policy, text, label in made:
        if policy in ("placeholders", "safe_harbor"):
            for in_force in ("tags", "expert_determination", policy):
                with pytest.raises(UnknownPolicy) as refused:
                    await restored(opened, in_force, text, label)
                assert refused.value.field == "policy"
            with pytest.raises(UnknownPolicy):
                await restored(opened, policy, text)
            continue
        for in_force in ("placeholders", "tags", "expert_determination"):
            assert await restored(opened, in_force, text, label) == TEXT
        other = "tags" if policy == "expert_determination" else "expert_determination"
        assert await restored(opened, policy, text) == TEXT
        assert await restored(opened, other, text) == text  # left as it is


async def test_an_answer_about_reports_of_several_policies_invents_nobody(opened: TestPlatform) -> None:
    await handle(opened, "r1", "tags")
    await handle(opened, "r2", "expert_determination")
    surrogate = (await passed_on(opened))["r2"][1].partition(" (")[0]
    await opinion(opened, f"{surrogate} and Dr. [NAME] agree.")
    assert await turned_back(opened, Kind.OPINION, "o1") == "Mary Poole and Dr. [NAME] agree."


async def test_an_answer_about_reports_of_tags_alone_is_turned_back(opened: TestPlatform) -> None:
    await handle(opened, "r1", "tags")
    await opinion(opened, "[NAME] came to Dr. [NAME_2].")
    assert await turned_back(opened, Kind.OPINION, "o1") == "Mary Poole came to Dr. Lena Holmquist."
    await handle(opened, "r2", "placeholders")  # whose [NAME] it may have been
    assert await turned_back(opened, Kind.OPINION, "o1") == "[NAME] came to Dr. [NAME_2]."


async def test_a_mapping_of_an_earlier_release_goes_out_under_no_other_policy(opened: TestPlatform) -> None:
    first = "expert_determination"
    await handle(opened, "r1", first)
    await handle(opened, "r2", "tags")
    before = (await passed_on(opened))["r1"][1]
    await share(opened, first, "tags")
    assert await turned_back(opened, Kind.REPORT, "r1") == TEXT
    assert await turned_back(opened, Kind.REPORT, "r2") == TEXT
    for number, policy in enumerate(("tags", "safe_harbor", first, "placeholders"), 3):
        await handle(opened, f"r{number}", policy)
        require_of(policy, (await passed_on(opened))[f"r{number}"][1], before)
    for report_id in ("r1", "r2", "r3", "r5"):
        assert await turned_back(opened, Kind.REPORT, report_id) == TEXT
