"""A tenant's replacement policy on a real platform: one mapping per patient, sealed, and the way back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from curbside.contracts import codec
from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.contracts.events import Event, new_event
from curbside.contracts.topics import REPORTS_DEIDENTIFIED
from curbside.contracts.v1 import deidentification_pb2 as pb
from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.contracts.v1 import events_pb2
from curbside.identity.grpc import RightsInterceptor
from curbside.identity.principal import Principal, Role, Scope
from curbside.phi import PhiText
from curbside.storage.blobs import BlobNotFound, BlobRef
from curbside.storage.database import Database
from curbside.storage.keys import DataKeyErased
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_deidentification import grpc as transport
from curbside_deidentification import handlers, review, store
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pipeline import Result, deidentify
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.replacements import Replacements, UnknownSubject
from curbside_deidentification.settings import DeidentificationSettings
from curbside_deidentification.wire import to_response

pytestmark = pytest.mark.usefixtures("halves")

SUBJECT = "ab" * 32
FIRST = "Patient: Zephyrine Quatremer, MRN: 4456781. Seen 04/12/2023: 4 mm nodule."
SECOND = "Ms. Quatremer came back on May 2, 2023; MRN: 445-6781. The nodule is stable."
RISKY = "Dates 13/45/2020 and 77/88/1999 and 45/45/2001, says Dr. Quatremer."
KNOWN = KnownIdentifiers(names=(PhiText("Zephyrine Quatremer"),))
CALLER = Principal("token:test", "default", frozenset({Role.ADMINISTRATOR}))


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
    settings = DeidentificationSettings.model_validate({"replacement_by_tenant": {"default": policy}})
    return Replacements(settings, blobs=opened.platform.blobs, ring=opened.platform.ring)


async def handle(
    opened: TestPlatform, text: str, report_id: str, policy: str, authored: str = "2023-04-12"
) -> None:
    document = codec.to_bytes(PhiDocument(PhiText(text), KNOWN, PhiText(authored)))
    ref = await opened.platform.blobs.put(Zone.PHI, document, tenant="default", subject=SUBJECT)
    payload = events_pb2.ReportReceived(report_id=report_id, text=ref.to_message())
    event: Event = new_event(payload, tenant="default", subject=SUBJECT)
    await handlers.deidentify_report(
        event,
        database=opened.platform.database,
        blobs=opened.platform.blobs,
        replacements=replacements(opened, policy),
        deidentify=found,
        policy=load_policy().label,
    )


async def outcomes(opened: TestPlatform) -> list[Any]:
    """What was passed on, with its text."""
    payloads: list[Any] = [event.payload for event in await opened.published(REPORTS_DEIDENTIFIED)]
    texts = [await opened.platform.blobs.get(BlobRef.from_message(one.text)) for one in payloads]
    return [(payload, text.decode()) for payload, text in zip(payloads, texts, strict=True)]


async def mapping_of(database: Database) -> BlobRef | None:
    async with database.read() as session:
        found = await store.find_mapping(session, "default", SUBJECT)
        return None if found is None else found.ref


async def test_a_patient_is_one_person_in_two_reports_and_days_stay_apart(opened: TestPlatform) -> None:
    await handle(opened, FIRST, "r1", "expert_determination")
    await handle(opened, SECOND, "r2", "expert_determination", "2023-05-02")
    (one, first), (two, second) = await outcomes(opened)
    names = re.fullmatch(r"Patient: \w+ (\w+), MRN: (\d+)\. Seen ([\d/]+): 4 mm nodule\.", first)
    again = re.fullmatch(
        r"Ms\. (\w+) came back on (\w+ \d+, \d{4}); MRN: ([\d-]+)\. The nodule is stable\.", second
    )
    assert names is not None
    assert again is not None
    assert (names[1], names[2]) == (again[1], again[3].replace("-", ""))
    assert names[1] != "Quatremer"
    month, day, year = names[3].split("/")
    assert one.authored_at == f"{year}-{month}-{day}"  # the offset of the text is the report's
    assert two.authored_at > one.authored_at
    assert ":expert_determination:" in one.policy
    assert (one.legal_basis, one.subjects) == ("expert_determination", "keyed")
    assert one.policy.startswith(load_policy().label)
    assert dict(one.spans_by_category) == {"NAME": 1, "MRN": 1, "DATE": 1}


async def test_safe_harbor_cuts_times_to_the_year_and_keeps_no_mapping(opened: TestPlatform) -> None:
    await handle(opened, FIRST, "r1", "safe_harbor")
    [(one, text)] = await outcomes(opened)
    assert text == "Patient: [NAME], MRN: [MRN]. Seen 2023: 4 mm nodule."
    assert (one.authored_at, one.legal_basis, one.subjects) == ("2023", "safe_harbor", "random")
    assert ":safe_harbor:" in one.policy
    assert await mapping_of(opened.platform.database) is None


async def test_reports_of_one_patient_at_once_share_one_mapping_and_leave_no_orphan(
    opened: TestPlatform,
) -> None:
    await asyncio.gather(*(handle(opened, f"MRN: 44567{n}. {FIRST}", f"r{n}", "tags") for n in range(10, 16)))
    texts = [text for _, text in await outcomes(opened)]
    assert len(texts) == 6
    numbers = [re.match(r"MRN: (\[MRN(?:_\d+)?\])", text)[1] for text in texts]  # type: ignore[index]
    assert len(set(numbers)) == 6  # each number has a tag of its own, none was drawn twice
    assert len(opened.stored(Zone.PHI)) == 6 + 1  # the reports, and one mapping


async def test_a_mapping_is_sealed_and_goes_with_the_patients_key(opened: TestPlatform) -> None:
    await handle(opened, FIRST, "r1", "expert_determination")
    ref = await mapping_of(opened.platform.database)
    assert ref is not None
    assert (ref.zone, ref.subject) == (Zone.PHI, SUBJECT)
    assert b"Quatremer" in await opened.platform.blobs.get(ref)
    data = opened.platform.settings.data
    stored = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    assert b"Quatremer" not in stored
    opened.platform.blobs._keys.erase(Zone.PHI, "default", SUBJECT)
    with pytest.raises(DataKeyErased):
        await opened.platform.blobs.get(ref)


@pytest.mark.parametrize("policy", ["expert_determination", "tags"])
async def test_who_is_erased_and_comes_again_is_somebody_new(opened: TestPlatform, policy: str) -> None:
    await handle(opened, FIRST, "r1", policy)
    old = await mapping_of(opened.platform.database)
    opened.platform.blobs._keys.erase(Zone.PHI, "default", SUBJECT)
    document, chosen = PhiText("[NAME]"), replacements(opened, policy)
    database = opened.platform.database
    for _ in range(2):  # while there is no key, and once another was made
        with pytest.raises(UnknownSubject):
            await turned_back(database, chosen, document)
        await opened.platform.blobs.put(Zone.PHI, b"", tenant="default", subject=SUBJECT)
    await handle(opened, FIRST, "r2", policy)
    await handle(opened, SECOND, "r3", policy)
    assert len(await read_texts(opened, "r2", "r3")) == 2
    fresh = await mapping_of(opened.platform.database)
    assert fresh is not None
    assert fresh != old
    restored = await turned_back(database, chosen, PhiText((await read_texts(opened, "r2"))[0]))
    assert restored.reveal() == FIRST


async def turned_back(database: Database, chosen: Replacements, text: PhiText) -> PhiText:
    """As a reversal does that two people agreed on."""
    async with chosen.begin(database, "default", SUBJECT) as work:
        return await chosen.restored(work, text, "default", SUBJECT)


async def read_texts(opened: TestPlatform, *report_ids: str) -> list[str]:
    """What was passed on of `report_ids`; what was erased cannot be read."""
    events = await opened.published(REPORTS_DEIDENTIFIED)
    refs = [BlobRef.from_message(one.payload.text) for one in events if one.payload.report_id in report_ids]
    return [(await opened.platform.blobs.get(ref)).decode() for ref in refs]


async def test_a_mapping_that_is_damaged_is_not_taken_for_an_erased_one(opened: TestPlatform) -> None:
    await handle(opened, FIRST, "r1", "tags")
    ref = await mapping_of(opened.platform.database)
    assert ref is not None
    await opened.platform.blobs.delete(ref)
    with pytest.raises(BlobNotFound):
        await handle(opened, SECOND, "r2", "tags")


async def test_a_release_is_replaced_by_policy_and_what_a_reviewer_sees_is_not(opened: TestPlatform) -> None:
    await handle(opened, RISKY, "r1", "expert_determination")
    assert await outcomes(opened) == []
    platform, policy = opened.platform, replacements(opened, "expert_determination")
    shown = await review.show_quarantined(CALLER, "r1", database=platform.database, blobs=platform.blobs)
    assert "Dr. [NAME]" in shown.result.replaced.reveal()
    await review.release(CALLER, "r1", database=platform.database, blobs=platform.blobs, replacements=policy)
    [(released, text)] = await outcomes(opened)
    assert released.released
    assert re.search(r"says Dr\. [A-Z][a-z]+\.$", text)
    assert "Quatremer" not in text
    assert ":expert_determination:" in released.policy


async def test_a_callers_text_is_turned_back_and_the_audit_says_so(opened: TestPlatform) -> None:
    policy, database = replacements(opened, "expert_determination"), opened.platform.database
    document = PhiDocument(PhiText(FIRST), KNOWN)
    shielded = await handlers.shield(
        document, tenant="default", subject=SUBJECT, database=database, replacements=policy, deidentify=found
    )
    assert "Quatremer" not in shielded.replaced.reveal()
    restored = await handlers.restore(
        CALLER, shielded.replaced, SUBJECT, database=database, replacements=policy
    )
    assert restored.reveal() == FIRST
    assert await database.verify_audit() == (1, None)
    with pytest.raises(UnknownSubject):
        await handlers.restore(CALLER, shielded.replaced, "cd" * 32, database=database, replacements=policy)
    stranger = Principal("token:other", "other", CALLER.roles)
    with pytest.raises(UnknownSubject):
        await handlers.restore(stranger, shielded.replaced, SUBJECT, database=database, replacements=policy)


async def test_a_stored_patient_is_not_turned_back_by_one_person_alone(opened: TestPlatform) -> None:
    await handle(opened, FIRST, "r1", "expert_determination")
    [(_, text)] = await outcomes(opened)
    policy, database = replacements(opened, "expert_determination"), opened.platform.database
    with pytest.raises(handlers.NotOwnText):
        await handlers.restore(CALLER, PhiText(text), SUBJECT, database=database, replacements=policy)


async def test_a_callers_own_name_for_a_patient_is_kept_nowhere(opened: TestPlatform) -> None:
    policy, database = replacements(opened, "expert_determination"), opened.platform.database
    document = PhiDocument(PhiText(FIRST), KNOWN)
    shielded = await handlers.shield(
        document,
        tenant="default",
        subject="4456781",
        database=database,
        replacements=policy,
        deidentify=found,
    )
    restored = await handlers.restore(
        CALLER, shielded.replaced, "4456781", database=database, replacements=policy
    )
    assert restored.reveal() == FIRST
    async with database.read() as session:
        assert await store.find_mapping(session, "default", policy.keyed("default", "4456781")) is not None
        assert await store.find_mapping(session, "default", "4456781") is None
    with pytest.raises(handlers.NoSubject):
        await handlers.restore(CALLER, shielded.replaced, "", database=database, replacements=policy)


async def test_a_text_of_nobody_gets_placeholders(opened: TestPlatform) -> None:
    shielded = await handlers.shield(
        PhiDocument(PhiText(FIRST), KNOWN),
        tenant="default",
        subject="",
        database=opened.platform.database,
        replacements=replacements(opened, "expert_determination"),
        deidentify=found,
    )
    assert shielded.replaced.reveal() == "Patient: [NAME], MRN: [MRN]. Seen [DATE]: 4 mm nodule."


async def test_an_answer_is_turned_back_by_its_own_text_and_by_no_patients(opened: TestPlatform) -> None:
    policy, database = replacements(opened, "expert_determination"), opened.platform.database
    opinion_id = "0f" * 16
    subject = opened.platform.ring.opinion("default", opinion_id)
    document = PhiDocument(PhiText(FIRST), KNOWN)
    shielded = await handlers.shield(
        document, tenant="default", subject=subject, database=database, replacements=policy, deidentify=found
    )
    assert to_response(shielded).restorable
    service = Principal("token:service", "default", frozenset({Role.SERVICE}))
    restored = await handlers.restore_answer(
        service, shielded.replaced, opinion_id, database=database, replacements=policy
    )
    assert restored.reveal() == FIRST
    await handle(opened, FIRST, "r1", "expert_determination")
    for other, refusal in ((SUBJECT, handlers.NoSubject), ("1f" * 16, UnknownSubject)):
        with pytest.raises(refusal):
            await handlers.restore_answer(
                service, shielded.replaced, other, database=database, replacements=policy
            )


@pytest.mark.parametrize("policy", ["placeholders", "safe_harbor"])
async def test_what_cannot_be_turned_back_says_so(opened: TestPlatform, policy: str) -> None:
    shielded = await handlers.shield(
        PhiDocument(PhiText(FIRST), KNOWN),
        tenant="default",
        subject=SUBJECT,
        database=opened.platform.database,
        replacements=replacements(opened, policy),
        deidentify=found,
    )
    assert not to_response(shielded).restorable


async def test_turning_back_needs_its_right(opened: TestPlatform) -> None:
    [binding] = opened.service.grpc
    assert binding.scopes[transport.RESTORE] is Scope.RESTORE
    assert binding.scopes[transport.RESTORE_ANSWER] is Scope.DEIDENTIFY
    server = aio.server(interceptors=[RightsInterceptor(opened.tokens, binding.scopes, frozenset())])
    binding.add(binding.servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub: Any = rpc.DeidentificationStub(channel)
            request = pb.RestoreRequest(text="[NAME]", subject=SUBJECT)
            for role, status in (
                (Role.SERVICE, grpc.StatusCode.PERMISSION_DENIED),
                (Role.ADMINISTRATOR, grpc.StatusCode.NOT_FOUND),
            ):
                with pytest.raises(aio.AioRpcError) as refused:
                    await stub.Restore(request, metadata=tuple((await opened.headers(role)).items()))
                assert refused.value.code() is status
    finally:
        await server.stop(0)
