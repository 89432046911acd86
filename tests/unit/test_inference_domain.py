"""What may be asked, what an answer rests on, and what an adapter's archive may hold."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.contracts.tasks import Task, prompt
from curbside.errors import CurbsideError
from curbside.phi import PhiText, SafeText
from curbside_inference.adapters import place_adapter
from curbside_inference.domain.evidence import MOST, content_words, evidence_for, sentences
from curbside_inference.domain.model import EngineModels, Promoted, model_in_use
from curbside_inference.domain.opinion import joined_input
from curbside_inference.domain.problems import BadAdapter, ReportTooLong, UnknownModel
from curbside_inference.domain.question import Stored, question_of

REPORT = (
    "FINDINGS: The heart is normal. A 12 mm spiculated nodule lies in the right upper lobe.\n"
    "There are no pleural effusions.\n\nHISTORY: Smoker, 40 pack years."
)
# Words in clinical shapes, with what makes offsets hard: breaks, wide and astral characters, no spaces.
TEXTS = st.lists(
    st.sampled_from(
        ["nodule", "Nodules", "5.2 cm", ".", "?", "\n", "\r\n", " ", "  ", "é", "🫁", "lobe.", "and"]
    )
    | st.text(max_size=8),
    max_size=40,
).map("".join)


@given(answer=TEXTS, source=TEXTS)
def test_evidence_is_always_an_exact_substring_in_order_and_apart(answer: str, source: str) -> None:
    found = evidence_for(answer, source)
    assert len(found) <= MOST
    end = 0
    for piece in found:
        assert source[piece.start : piece.end] == piece.text
        assert piece.text == piece.text.strip() != ""
        assert piece.start >= end
        assert content_words(piece.text) & content_words(answer)
        end = piece.end


@given(text=TEXTS)
def test_sentences_leave_out_nothing_but_space(text: str) -> None:
    spans = list(sentences(text))
    assert "".join("".join(text[start:end] for start, end in spans).split()) == "".join(text.split())


def test_evidence_is_what_shares_the_most_with_the_answer() -> None:
    (nodule,) = evidence_for("Spiculated nodule, right upper lobe: suspect malignancy.", REPORT)
    assert nodule.text == "A 12 mm spiculated nodule lies in the right upper lobe."
    effusions = evidence_for("Pleural effusion.", REPORT)
    assert [piece.text for piece in effusions] == ["There are no pleural effusions."]
    assert evidence_for("", REPORT) == []
    assert evidence_for("Unchanged compared with the prior report.", REPORT) == []


def test_a_question_makes_phi_of_its_texts_and_ids_of_its_reports() -> None:
    question = question_of(task="compare", report="now", prior_report_id="r-1", max_characters=10)
    assert (question.task, question.report, question.prior) == (Task.COMPARE, PhiText("now"), Stored("r-1"))
    with pytest.raises(ReportTooLong) as refused:
        question_of(task="diagnose", report="x" * 11, max_characters=10)
    assert refused.value.extensions == {"limit": 10, "unit": "characters"}


@pytest.mark.parametrize("model", ["../m", ".m", "m/n", "", "m" * 129])
def test_a_model_is_named_plainly(model: str) -> None:
    with pytest.raises(CurbsideError) as refused:
        question_of(task="diagnose", report="x", model=model, max_characters=10)
    assert refused.value.field == "model"


@given(report=TEXTS, prior=TEXTS)
def test_the_input_shown_is_what_the_model_saw(report: str, prior: str) -> None:
    def safe(text: str) -> SafeText:
        return SafeText(text, rules=("test",))

    alone = prompt(Task.SUMMARIZE, report)[0]["content"]
    assert joined_input(safe(report), None).text in alone
    both = prompt(Task.COMPARE, report, prior)[0]["content"]
    assert joined_input(safe(report), safe(prior)).text in both


def test_the_model_asked_for_goes_before_the_promoted_one_and_the_base_is_last() -> None:
    def name(asked: str | None, promoted: str | None) -> tuple[str, str]:
        known = [Promoted(promoted, "b")] if promoted else []
        used = model_in_use(EngineModels("b", "tgi"), known, asked)
        return used.version, used.engine_name

    assert name("m2", "m1") == ("m2", "m2")
    assert name(None, "m1") == ("m1", "m1")
    assert name("base", "m1") == name(None, None) == ("base", "tgi")


def test_a_base_is_asked_for_by_its_own_names_and_by_no_other_bases() -> None:
    engine = EngineModels("some-org--8b", "served", frozenset({"m1"}))
    for asked in ("base", "served", "some-org--8b"):
        used = model_in_use(engine, [Promoted("m1", "some-org--8b")], asked)
        assert (used.version, used.engine_name) == ("base", "served")
    for asked in ("embedded", "tgi", "m2"):
        with pytest.raises(UnknownModel) as refused:
            model_in_use(engine, [], asked)
        assert (refused.value.field, bool(refused.value.mend)) == ("model", True)


def test_what_waits_changes_neither_the_answering_version_nor_its_base() -> None:
    engine = EngineModels("embedded", "tgi", frozenset({"m1"}))
    used = model_in_use(engine, [Promoted("m2", "other"), Promoted("m1", "embedded")])
    assert (used.version, used.base_model, used.waiting) == ("m1", "embedded", "m2")
    used = model_in_use(engine, [Promoted("m2", "other")])
    assert (used.version, used.embedded, used.waiting) == ("base", True, "m2")


def archive(*members: tarfile.TarInfo, config: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for member in (*([tarfile.TarInfo("adapter_config.json")] if config else []), *members):
            tar.addfile(member)
    return out.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


@pytest.mark.parametrize(
    "data",
    [
        archive(entry("../../escaped")),
        archive(entry("link", tarfile.SYMTYPE, "/etc/passwd")),
        archive(entry("hard", tarfile.LNKTYPE, "../secret")),
        archive(entry("pipe", tarfile.FIFOTYPE)),
        archive(entry("weights"), config=False),
        archive()[:40],
        b"not a tar",
    ],
    ids=["traversal", "symlink", "hardlink", "fifo", "no-config", "cut", "no-tar"],
)
def test_an_archive_that_is_no_plain_adapter_leaves_nothing(data: bytes, tmp_path: Path) -> None:
    adapters = tmp_path / "deep" / "adapters"
    with pytest.raises(BadAdapter):
        place_adapter(data, adapters, "m1")
    assert list(adapters.iterdir()) == []
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("version", ["", ".", "..", "../m", "a/b", ".hidden", "base", "tgi", "embedded"])
def test_a_version_that_is_no_plain_name_is_no_directory(version: str, tmp_path: Path) -> None:
    with pytest.raises(BadAdapter):
        place_adapter(archive(), tmp_path, version)
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_in_place_stays_as_it_is(tmp_path: Path) -> None:
    place = place_adapter(archive(entry("weights", mode=0o4777)), tmp_path, "m1")
    assert not (place / "weights").stat().st_mode & 0o7022  # neither setuid nor writable by others
    assert place_adapter(b"ignored", tmp_path, "m1") == place
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m1"]
