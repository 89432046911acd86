"""The base model with adapters loaded on demand, one of which is switched on at a time."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from curbside.errors import MissingExtra, NotFound

# The model that huggingface_hub names in a chat where its caller names none.
HUB_PLACEHOLDER: Final = "dummy"
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class UnknownModel(NotFound):
    code = "engine.unknown-model"


class Models:
    """Used by the generation thread alone, but for `knows`, which only looks at the directory."""

    def __init__(self, base: Path | str, name: str, adapters_dir: Path, max_loaded: int) -> None:
        self.base = base
        self.name = name
        self.adapters_dir = adapters_dir.expanduser()
        self._max_loaded = max_loaded
        self._loaded: OrderedDict[str, str] = OrderedDict()  # version: PEFT's name for it
        self._active: str | None = None
        self._model: Any = None
        self._wrapped = False
        self.tokenizer: Any = None
        self.end_tokens: frozenset[int] = frozenset()
        self.context: int = 0

    def load(self, threads: int | None) -> None:
        """Load base and tokenizer; about 1 s for the embedded model once torch is imported."""
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
            from transformers.utils import logging as transformers_logging
        except ImportError as error:
            raise MissingExtra(error.name or "transformers", "engine") from error
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if threads:
            torch.set_num_threads(threads)
        tokenizer: Any = AutoTokenizer.from_pretrained(str(self.base))
        auto: Any = AutoModelForCausalLM
        model = auto.from_pretrained(str(self.base), dtype=torch.bfloat16).eval()
        if torch.cuda.is_available():
            model.to("cuda")
        ends = model.generation_config.eos_token_id
        self.end_tokens = frozenset(
            [*([ends] if isinstance(ends, int) else ends or []), tokenizer.eos_token_id]
        )
        self.context = model.config.max_position_embeddings
        self.tokenizer, self._model = tokenizer, model

    def knows(self, model: str) -> bool:
        """Whether `model` is the base ('tgi', its name) or a version whose adapter is there."""
        return self.is_base(model) or self._directory(model) is not None

    def is_base(self, model: str) -> bool:
        return model in {"tgi", HUB_PLACEHOLDER, self.name, str(self.base)}

    def versions(self) -> list[str]:
        """All model versions whose adapters are in the directory."""
        if not self.adapters_dir.is_dir():
            return []
        return sorted(path.name for path in self.adapters_dir.iterdir() if self._directory(path.name))

    def use(self, version: str | None) -> Any:
        """The model with `version` switched on, or the base alone for None. Raises UnknownModel."""
        if version == self._active:
            return self._model
        if version is None:
            self._model.base_model.disable_adapter_layers()
        else:
            name = self._load(version)
            self._model.base_model.enable_adapter_layers()
            self._model.set_adapter(name)
            for parameter in self._model.parameters():
                parameter.requires_grad_(False)
        self._active = version
        return self._model

    def _directory(self, version: str) -> Path | None:
        if not _VERSION.fullmatch(version):
            return None
        path = self.adapters_dir / version
        return path if (path / "adapter_config.json").is_file() else None

    def _load(self, version: str) -> str:
        if version in self._loaded:
            self._loaded.move_to_end(version)
            return self._loaded[version]
        directory = self._directory(version)
        if directory is None:
            raise UnknownModel(f"There is no model {version!r}.", field="model", mend="Ask GET /v1/models.")
        # PEFT uses the name as a module's, which holds no dot.
        name = "v" + hashlib.sha256(version.encode()).hexdigest()[:16]
        if self._wrapped:
            self._model.load_adapter(str(directory), adapter_name=name)
        else:
            from peft import PeftModel

            # From here on the base is wrapped for good: PEFT puts its layers into it.
            self._model = PeftModel.from_pretrained(self._model, str(directory), adapter_name=name).eval()
            self._wrapped = True
        self._loaded[version] = name
        if len(self._loaded) > self._max_loaded:
            _, oldest = self._loaded.popitem(last=False)
            self._model.delete_adapter(oldest)
        return name
