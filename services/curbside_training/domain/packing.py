"""Examples of one report packed so that the report is encoded once for all of its questions.

A pack is a tree of depth one: the tokens that all of a report's prompts begin with, then one branch per
question. In a batch, packs stand one after the other in a single row; a 4-D attention mask lets a token see
only its own branch and its own prefix, and every branch's positions continue from the prefix's end. The model
therefore computes exactly what it would for each chat alone, and no answer sees another. Without a mask,
questions of one report would leak their answers to each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from curbside.errors import OperatorError
from curbside_training.domain.examples import Example

if TYPE_CHECKING:
    import torch

# A pack beyond this many times `max_tokens` is split, so that a report with many questions fits in memory.
PACK_GROWTH: Final = 2
# A CPU kernel is generated and cached for each new shape: with every length a shape of its own, a run of 200
# steps grew to 4 GB. Rows are filled up to multiples of ROW_STEP, kept logits of ANSWER_STEP.
ROW_STEP: Final = 64
ANSWER_STEP: Final = 32
IGNORED: Final = -100  # the label that torch's cross-entropy leaves out


class NoChatTemplate(OperatorError):
    code = "operator.no-chat-template"


@dataclass(frozen=True, slots=True)
class Chat:
    """One example in tokens: what the model is given, and what it should answer, end of turn included."""

    example: Example
    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True, slots=True)
class Pack:
    """Chats that share their first `prefix_length` prompt tokens."""

    prefix_length: int
    chats: tuple[Chat, ...]

    def __len__(self) -> int:
        """Positions that the model computes; an answer's last token predicts nothing and is not fed."""
        return self.prefix_length + sum(len(chat) - 1 - self.prefix_length for chat in self.chats)


@dataclass(frozen=True, slots=True)
class Packed:
    """Packs, and the ids of examples that were longer than allowed."""

    packs: tuple[Pack, ...]
    too_long: tuple[str, ...]

    @property
    def answer_tokens(self) -> int:
        return sum(len(chat.answer) for pack in self.packs for chat in pack.chats)


def tokenize(example: Example, tokenizer: Any) -> Chat:
    """The chat of one example, exactly as the engine tokenises its prompt. Raises NoChatTemplate."""
    if not tokenizer.chat_template:
        raise NoChatTemplate("The base model has no chat template: choose an instruction-tuned one.")
    messages = example.messages()
    asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    answered = tokenizer.apply_chat_template(
        [*messages, {"role": "assistant", "content": example.output.strip()}], tokenize=False
    )
    # The prompt is tokenised alone and the answer follows, as in generation: a token that straddled the
    # two would never be met there.
    ending = answered[len(asked) :] if answered.startswith(asked) else example.output.strip()
    answer: list[int] = tokenizer(ending, add_special_tokens=False)["input_ids"]
    end = tokenizer.eos_token_id
    answer = answer[: answer.index(end)] if end in answer else answer
    prompt: list[int] = tokenizer(asked, add_special_tokens=False)["input_ids"]
    return Chat(example, tuple(prompt), (*answer, end))


def pack(examples: Iterable[Example], tokenizer: Any, max_tokens: int) -> Packed:
    """Group `examples` by report and find what their prompts share; longer than `max_tokens` is left out."""
    by_report: dict[str, list[Chat]] = defaultdict(list)
    too_long: list[str] = []
    for example in examples:
        chat = tokenize(example, tokenizer)
        if len(chat) > max_tokens:
            too_long.append(example.example_id)
        else:
            by_report[example.report_id].append(chat)
    packs = [
        Pack(_shared_prefix([chat.prompt for chat in part]), tuple(part))
        for chats in by_report.values()
        for part in _split(chats, PACK_GROWTH * max_tokens)
    ]
    return Packed(tuple(packs), tuple(too_long))


def _split(chats: list[Chat], limit: int) -> Iterable[list[Chat]]:
    """Runs of `chats` whose pack is at most `limit` positions, or one chat."""
    part: list[Chat] = []
    for chat in chats:
        grown = [*part, chat]
        if part and len(Pack(_shared_prefix([c.prompt for c in grown]), tuple(grown))) > limit:
            yield part
            grown = [chat]
        part = grown
    if part:
        yield part


def _shared_prefix(prompts: Sequence[tuple[int, ...]]) -> int:
    """Length of the common prefix that leaves each prompt its last token, which predicts the answer."""
    shortest, first = min(map(len, prompts)) - 1, prompts[0]
    return next((i for i in range(shortest) if any(p[i] != first[i] for p in prompts)), shortest)


@dataclass(frozen=True, slots=True)
class Branch:
    """Where one chat stands in a batch: its positions in the row, and its answer's logits."""

    chat: Chat
    prefix: slice  # positions of the shared prefix
    own: slice  # positions of what follows it: the rest of the prompt, then the answer but its last token
    logits: slice  # rows of the kept logits that predict the answer, one per answer token

    @property
    def prompt_positions(self) -> list[int]:
        """Row positions of the whole prompt, in order."""
        rest = len(self.chat.prompt) - (self.prefix.stop - self.prefix.start)
        return [*range(self.prefix.start, self.prefix.stop), *range(self.own.start, self.own.start + rest)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Packs as one row, and where each chat is in it."""

    tensors: dict[str, torch.Tensor]
    branches: tuple[Branch, ...]


def batch(packs: Sequence[Pack]) -> Batch:
    """`packs` as inputs of a causal language model, with logits only where answers are predicted.

    Tensors: input_ids and position_ids [1, L], attention_mask [1, 1, L, L] (True attends),
    logits_to_keep [K], labels and shift_labels [1, K]; L and K are rounded up. Both labels are the
    same: K is already shifted, and transformers' loss takes `shift_labels` as they are.
    """
    import torch

    tokens: list[int] = []
    positions: list[int] = []
    pack_of: list[int] = []
    branch_of: list[int] = []  # 0 is the prefix
    keep: list[int] = []
    labels: list[int] = []
    branches: list[Branch] = []
    for number, packed in enumerate(packs):
        shared = packed.prefix_length
        prefix = slice(len(tokens), len(tokens) + shared)
        tokens += packed.chats[0].prompt[:shared]
        positions += range(shared)
        pack_of += [number] * shared
        branch_of += [0] * shared
        for index, chat in enumerate(packed.chats, start=1):
            own = (*chat.prompt[shared:], *chat.answer[:-1])
            start, first = len(tokens), len(keep)
            tokens += own
            positions += range(shared, shared + len(own))
            pack_of += [number] * len(own)
            branch_of += [index] * len(own)
            keep += range(len(tokens) - len(chat.answer), len(tokens))
            labels += chat.answer
            branches.append(Branch(chat, prefix, slice(start, len(tokens)), slice(first, len(keep))))

    # Filled up to few different shapes. Padding is a pack of its own that nothing else attends to, and the
    # logits kept too many have no label.
    missing = -len(tokens) % ROW_STEP
    tokens += [packs[0].chats[0].answer[-1]] * missing
    positions += range(missing)
    pack_of += [-1] * missing
    branch_of += [0] * missing
    spare = -len(keep) % ANSWER_STEP
    keep += [keep[-1]] * spare
    labels += [IGNORED] * spare

    packs_, branches_ = torch.tensor(pack_of), torch.tensor(branch_of)
    order = torch.arange(len(tokens))
    mask = (
        (packs_[:, None] == packs_[None, :])
        & ((branches_[None, :] == 0) | (branches_[:, None] == branches_[None, :]))
        & (order[None, :] <= order[:, None])
    )
    expected = torch.tensor([labels])
    tensors = {
        "input_ids": torch.tensor([tokens]),
        "position_ids": torch.tensor([positions]),
        "attention_mask": mask[None, None],
        "logits_to_keep": torch.tensor(keep),
        "labels": expected,
        "shift_labels": expected,
    }
    return Batch(tensors, tuple(branches))


def collate(packs: Sequence[Pack]) -> dict[str, torch.Tensor]:
    """The collator that transformers' Trainer is given."""
    return batch(packs).tensors
