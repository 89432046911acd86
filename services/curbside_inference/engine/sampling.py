"""From logits to a token: TGI's parameters, applied in TGI's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. `seed` is None exactly where the choice is greedy."""

    seed: int | None = None
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    top_n_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


def generator(sampling: Sampling, device: Any) -> torch.Generator | None:
    """The random state of one request, so that its seed decides whatever it is batched with."""
    import torch

    if sampling.seed is None:
        return None
    return torch.Generator(device=device).manual_seed(sampling.seed)


def choose(
    logits: torch.Tensor,
    sampling: Sampling,
    seen: Sequence[int],
    generated: Sequence[int],
    random: torch.Generator | None,
) -> Choice:
    """The next token after `seen` (prompt and answer so far), of which `generated` is the answer."""
    import torch

    scores = logits.clone()
    if sampling.repetition_penalty != 1.0:
        index = torch.tensor(sorted(set(seen)), device=scores.device)
        some = scores[index]
        scores[index] = torch.where(
            some < 0, some * sampling.repetition_penalty, some / sampling.repetition_penalty
        )
    if sampling.frequency_penalty and generated:
        counts = torch.bincount(torch.tensor(generated), minlength=len(scores)).to(scores.device)
        scores -= sampling.frequency_penalty * counts[: len(scores)]
    if random is None:
        logprobs = torch.log_softmax(scores, -1)
        token = int(scores.argmax())
    else:
        scores /= sampling.temperature
        _filter(scores, sampling)
        logprobs = torch.log_softmax(scores, -1)
        token = int(torch.multinomial(logprobs.exp(), 1, generator=random))
    top = logprobs.topk(sampling.top_n_tokens) if sampling.top_n_tokens else None
    return Choice(
        token,
        float(logprobs[token]),
        () if top is None else tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True)),
    )


def _filter(scores: torch.Tensor, sampling: Sampling) -> None:
    """Set to minus infinity what top_k, top_p and typical_p leave out; at least one token stays."""
    import torch

    never = float("-inf")
    if sampling.top_k:
        kept = scores.topk(min(sampling.top_k, len(scores))).values[-1]
        scores[scores < kept] = never
    if sampling.top_p < 1.0:
        ordered, index = scores.sort(descending=True)
        before = torch.softmax(ordered, -1).cumsum(-1) - torch.softmax(ordered, -1)
        scores[index[before >= sampling.top_p]] = never
    if sampling.typical_p < 1.0:
        logprobs = torch.log_softmax(scores, -1)
        probs = logprobs.exp()
        entropy = -(logprobs * probs).nansum()
        _, index = (-logprobs - entropy).abs().sort()
        before = probs[index].cumsum(-1) - probs[index]
        scores[index[before >= sampling.typical_p]] = never
