"""Greedy and sampled decoding of many rows that start and end at different times.

`Rows` holds the key-value cache of every row being decoded, left-padded to one length. Rows join after a
prefill and leave when they are done, so a batch never waits for its longest answer. The embedded engine and
evaluation both decode with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Rows:
    """The key-value cache of a batch of rows, row i holding its last `lengths[i]` columns."""

    def __init__(self) -> None:
        self._cache: Any = None  # a transformers DynamicCache, or None without rows
        self.lengths: list[int] = []

    def __len__(self) -> int:
        return len(self.lengths)

    def join(self, layers: Sequence[tuple[torch.Tensor, torch.Tensor]], lengths: Sequence[int]) -> None:
        """Add rows: per layer keys and values [rows, heads, columns, width], right-aligned."""
        from torch.nn.functional import pad
        from transformers import DynamicCache

        if self._cache is None or not self.lengths:
            self._cache, self.lengths = DynamicCache(list(layers)), list(lengths)
            return
        import torch

        have, come = self._cache.layers[0].keys.shape[2], layers[0][0].shape[2]
        width = max(have, come)
        for layer, (keys, values) in zip(self._cache.layers, layers, strict=True):
            for name, joining in (("keys", keys), ("values", values)):
                old = pad(getattr(layer, name), (0, 0, width - have, 0))
                setattr(layer, name, torch.cat([old, pad(joining, (0, 0, width - come, 0))]))
        self.lengths += lengths

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, and the columns that none of them uses."""
        if self._cache is None or len(rows) == len(self.lengths):
            return
        self.lengths = [self.lengths[row] for row in rows]
        if not rows:
            self._cache = None
            return
        longest = max(self.lengths)
        for layer in self._cache.layers:
            layer.keys = layer.keys[list(rows), :, -longest:]
            layer.values = layer.values[list(rows), :, -longest:]

    def step(self, model: Any, tokens: Sequence[int]) -> torch.Tensor:
        """Feed one token to each row; the logits of the next, [rows, vocabulary], in float32."""
        import torch

        if self._cache is None:
            raise ValueError("no row to decode")
        width = self._cache.layers[0].keys.shape[2] + 1
        lengths = torch.tensor(self.lengths)
        mask = torch.arange(width)[None, :] >= (width - 1 - lengths)[:, None]
        out = model(
            input_ids=torch.tensor(tokens, device=model.device)[:, None],
            position_ids=lengths[:, None].to(model.device),
            attention_mask=mask[:, None, None, :].to(model.device),
            past_key_values=self._cache,
            use_cache=True,
        )
        self.lengths = [length + 1 for length in self.lengths]
        logits: torch.Tensor = out.logits[:, -1].float()
        return logits


def prefill(model: Any, tokens: Sequence[int], *, all_logits: bool = False) -> tuple[Rows, torch.Tensor]:
    """One row's cache, and the logits that follow its last token, or every token where `all_logits`."""
    import torch

    out = model(
        input_ids=torch.tensor([tokens], device=model.device),
        use_cache=True,
        logits_to_keep=0 if all_logits else 1,
    )
    rows = Rows()
    rows.join([(layer.keys, layer.values) for layer in out.past_key_values.layers], [len(tokens)])
    return rows, out.logits[0].float()


def merge(into: Rows, joining: Rows) -> None:
    """Move the rows of `joining` to `into`."""
    if joining._cache is not None:
        into.join([(layer.keys, layer.values) for layer in joining._cache.layers], joining.lengths)
