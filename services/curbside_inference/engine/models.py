"""The base model with adapters loaded on demand, one of which is switched on at a time."""

from __future__ import annotations

import gc
import hashlib
import json
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from curbside.errors import Conflict, CurbsideError, MissingExtra, NotFound

# The model that huggingface_hub names in a chat where its caller names none.
HUB_PLACEHOLDER: Final = "dummy"
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CONFIG: Final = "adapter_config.json"
_WEIGHTS: Final = "adapter_model.safetensors"
# base_model.model.model.layers.0.mlp.up_proj.lora_A.weight is of the module model.layers.0.mlp.up_proj.
_LORA: Final = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<half>[AB])\.weight")


class UnknownModel(NotFound):
    code = "engine.unknown-model"


class UnfitAdapter(Conflict):
    """The adapter was trained on another base than the one that is served, or is damaged."""

    code = "engine.unfit-adapter"


class BaseLost(CurbsideError):
    """An adapter failed to load, and the base that it left its layers in could not be loaded again."""

    code = "engine.base-lost"


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
            from transformers import AutoTokenizer
            from transformers.utils import logging as transformers_logging
        except ImportError as error:
            raise MissingExtra(error.name or "transformers", "engine") from error
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        if threads:
            torch.set_num_threads(threads)
        tokenizer: Any = AutoTokenizer.from_pretrained(str(self.base))
        model = self._base()
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
        """The model with `version` switched on, or the base alone for None.

        Raises UnknownModel or UnfitAdapter, and whatever else loading it raises: the base answers as before.
        Raises BaseLost where it cannot.
        """
        if version == self._active:
            return self._model
        if version is not None and version not in self._loaded:
            self._inspect(version)
        try:
            self._switch(version)
        except Exception:
            self._restore()
            raise
        return self._model

    def _switch(self, version: str | None) -> None:
        if version is None:
            self._model.base_model.disable_adapter_layers()
        else:
            name = self._load(version)
            self._model.base_model.enable_adapter_layers()
            self._model.set_adapter(name)
            for parameter in self._model.parameters():
                parameter.requires_grad_(False)
        self._active = version

    def _base(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        auto: Any = AutoModelForCausalLM
        model = auto.from_pretrained(str(self.base), dtype=torch.bfloat16).eval()
        return model.to("cuda") if torch.cuda.is_available() else model

    def _restore(self) -> None:
        """The base from disk, without adapters; they load again when they are next asked for.

        PEFT puts its layers into the base before it reads an adapter's weights, and leaves them there where
        that fails: random numbers would answer in the base's name.
        """
        self._model, self._wrapped, self._active = None, False, None
        self._loaded.clear()
        gc.collect()  # modules refer to each other; two copies of the base may not fit
        import torch

        try:
            with torch.inference_mode(False):  # parameters as `load` makes them
                self._model = self._base()
        except Exception as error:
            raise BaseLost(
                f"An adapter failed to load, and then the base model did ({type(error).__name__})."
            ) from None

    def _inspect(self, version: str) -> None:
        """Raise UnknownModel or UnfitAdapter for an adapter that need not be tried."""
        directory = self._directory(version)
        if directory is None:
            raise UnknownModel(f"There is no model {version!r}.", field="model", mend="Ask GET /v1/models.")
        try:
            trained_on = json.loads((directory / _CONFIG).read_text("utf-8"))["base_model_name_or_path"]
        except (OSError, ValueError, KeyError, TypeError):
            trained_on = None
        if trained_on not in (self.name, str(self.base)):
            raise UnfitAdapter(
                f"The adapter {version!r} was trained on the base model {trained_on!r}, and this engine "
                f"serves {self.name!r}.",
                mend="Set CURBSIDE_RUNTIME__BASE_MODEL to the base that it was trained on, or train it anew.",
            )
        wrong = self._wrong_shape(directory / _WEIGHTS)
        if wrong is not None:
            raise UnfitAdapter(
                f"The adapter {version!r} does not fit the base model {self.name!r}: {wrong}.",
                mend=f"Place an undamaged {_WEIGHTS} that was trained on it.",
            )

    def _wrong_shape(self, weights: Path) -> str | None:
        """What is wrong with the weights as their header says, or None. The tensors are not read."""
        from safetensors import SafetensorError, safe_open

        try:
            # Its stubs know it only as a class without a context.
            with safe_open(weights, framework="pt") as file:
                shapes = {key: list(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            return f"{_WEIGHTS} cannot be read ({type(error).__name__})"
        if not shapes:
            return f"{_WEIGHTS} is empty"
        modules = dict((self._model.get_base_model() if self._wrapped else self._model).named_modules())
        for key, shape in shapes.items():
            found = _LORA.fullmatch(key)
            if found is None:
                continue
            module = modules.get(found["module"])
            if module is None:
                return f"the base has no module {found['module']!r}"
            # A is [rank, in_features], B is [out_features, rank].
            half, place = ("in_features", 1) if found["half"] == "A" else ("out_features", 0)
            wanted = getattr(module, half, None)
            if wanted is not None and (len(shape) != 2 or shape[place] != wanted):
                return f"{key} has the shape {shape}, and the base's {half} are {wanted}"
        return None

    def _directory(self, version: str) -> Path | None:
        if not _VERSION.fullmatch(version):
            return None
        path = self.adapters_dir / version
        return path if (path / _CONFIG).is_file() else None

    def _load(self, version: str) -> str:
        if version in self._loaded:
            self._loaded.move_to_end(version)
            return self._loaded[version]
        directory = self.adapters_dir / version
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
