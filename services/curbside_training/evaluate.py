"""Base and tuned model side by side over held-out questions.

One load serves both: the base is the tuned model with its adapter switched off. A report is encoded once for
its questions, which gives the likelihood of the reference answers and starts the generated ones alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from curbside.contracts.tasks import MAX_ANSWER_TOKENS, Task
from curbside.errors import BadInput, MissingExtra
from curbside.models.decoding import Rows, merge
from curbside_training.domain.examples import Example, Group
from curbside_training.domain.measures import Answered, Measured, constant_answers, estimate, measure, rouge_l
from curbside_training.domain.packing import Branch, Pack, batch, pack
from curbside_training.domain.recipe import Recipe
from curbside_training.ray_session import on_ray, tell

if TYPE_CHECKING:
    import torch

# Rows decoded together. On 2 cores a step of 32 rows takes 3 times as long as a step of one.
DECODED_TOGETHER: Final = 32
SAMPLES_PER_TASK: Final = 2
ALL: Final = "held_out"  # every group together


class Variant(StrEnum):
    BASE = "base"
    TUNED = "tuned"
    CONSTANT = "constant"  # the most frequent training answer of each task


class NothingToEvaluate(BadInput):
    code = "training.nothing-to-evaluate"


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    variant: Variant
    answered: int
    total: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One held-out question with the reference and every variant's answer. All text is de-identified."""

    example_id: str
    task: str
    group: str
    report: str
    reference: str
    answers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures by group and variant, sample outputs, and the examples that were too long to ask."""

    measures: dict[str, dict[str, Measured]]
    samples: tuple[Sample, ...]
    too_long: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        """A form for `json.dumps`; NaN and infinity do not occur in it."""
        return asdict(self)


def evaluate(
    examples: Sequence[Example],
    *,
    base_model: Path | str,
    adapter: Path | None,
    train: Sequence[Example] = (),
    max_tokens: int = 1024,
    threads: int | None = None,
    use_gpu: bool = False,
    on_progress: Callable[[EvaluationProgress], None] = lambda _: None,
) -> Evaluation:
    """Ask base and tuned model every question greedily and measure the answers.

    Without an `adapter` only the base is asked. `train` gives the constant-answer baseline. Raises
    NothingToEvaluate where no example fits in `max_tokens`.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtra(error.name or "transformers", "training") from error

    if threads:
        torch.set_num_threads(threads)
    tokenizer: Any = AutoTokenizer.from_pretrained(str(base_model), local_files_only=True)
    packed = pack(examples, tokenizer, max_tokens)
    if not packed.packs:
        raise NothingToEvaluate(
            f"No held-out example fits in max_tokens={max_tokens} ({len(examples)} were given).",
            field="examples",
            mend="Publish a dataset whose test split holds examples.",
        )
    model: Any = AutoModelForCausalLM.from_pretrained(
        str(base_model), dtype=torch.bfloat16, local_files_only=True
    )
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter))
    if use_gpu:
        model.to("cuda")
    model.eval()

    # Long reports first: rows that decode together then have similar widths.
    packs = sorted(packed.packs, key=len, reverse=True)
    asked = [chat.example for item in packs for chat in item.chats]
    answered: dict[Variant, list[Answered]] = {}
    for variant in (Variant.BASE, Variant.TUNED) if adapter is not None else (Variant.BASE,):
        switched = (
            model.disable_adapter() if variant is Variant.BASE and adapter is not None else nullcontext()
        )
        answers: list[Answered] = []
        with switched, torch.inference_mode():
            for some in answer_all(model, tokenizer, packs):
                answers += some
                on_progress(EvaluationProgress(variant, len(answers), len(asked)))
        answered[variant] = answers

    measures: dict[str, dict[str, Measured]] = {}
    for name, groups in {ALL: set(Group), **{group.value: {group} for group in Group}}.items():
        of_group = {v: [one for one in some if one.example.group in groups] for v, some in answered.items()}
        if of_group[Variant.BASE]:
            measures[name] = {variant.value: measure(some) for variant, some in of_group.items()}
            if train:
                questions = [one.example for one in of_group[Variant.BASE]]
                measures[name][Variant.CONSTANT.value] = _constant(questions, constant_answers(train))
    return Evaluation(measures, _samples(answered), packed.too_long)


def evaluate_on_ray(
    examples: Sequence[Example],
    *,
    recipe: Recipe,
    base_model: Path | str,
    adapter: Path,
    train: Sequence[Example],
    run_id: str,
    ray_address: str,
    on_progress: Callable[[EvaluationProgress], None],
) -> Evaluation:
    """`evaluate` on one worker of the cluster that trains: there is the GPU and the memory for the model.

    `base_model` and `adapter` lie where the workers find them, as in training. Raises NothingToEvaluate as
    `evaluate` does, TrainingFailed where Ray gives up.
    """
    asked = {
        "base_model": str(base_model),
        "adapter": str(adapter.resolve()),
        "max_tokens": recipe.max_tokens,
        "threads": None if recipe.use_gpu else recipe.cpus_per_worker,
        "use_gpu": recipe.use_gpu,
    }

    def told(message: Mapping[str, Any]) -> None:
        on_progress(EvaluationProgress(**{**message, "variant": Variant(message["variant"])}))

    with on_ray(f"the evaluation of the run {run_id}", recipe, ray_address, told) as queue:
        import ray

        task = ray.remote(evaluate_on_worker).options(
            num_cpus=recipe.cpus_per_worker,
            num_gpus=1 if recipe.use_gpu else 0,
            max_retries=recipe.max_failures,
        )
        evaluation: Evaluation = ray.get(task.remote(list(examples), list(train), asked, queue))
    return evaluation


def evaluate_on_worker(
    examples: Sequence[Example], train: Sequence[Example], asked: Mapping[str, Any], queue: Any
) -> Evaluation:
    """What the Ray worker runs."""

    def say(progress: EvaluationProgress) -> None:
        # Plain values: the queue's actor runs on the head, which need not have this package.
        tell(queue, asdict(progress) | {"variant": progress.variant.value})

    adapter = Path(asked["adapter"])
    return evaluate(examples, train=train, on_progress=say, **{**asked, "adapter": adapter})


def answer_all(model: Any, tokenizer: Any, packs: Sequence[Pack]) -> Iterator[list[Answered]]:
    """Greedy answers to every chat of `packs`, some at a time, with the likelihood of each reference."""
    waiting = list(packs)
    while waiting:
        taken: list[Pack] = [waiting.pop(0)]
        while waiting and sum(len(p.chats) for p in taken) + len(waiting[0].chats) <= DECODED_TOGETHER:
            taken.append(waiting.pop(0))
        yield _answer(model, tokenizer, taken)


def _answer(model: Any, tokenizer: Any, packs: Sequence[Pack]) -> list[Answered]:
    import torch

    rows, branches, likelihoods, first = Rows(), [], [], []
    for item in packs:
        row = batch([item])
        inputs = {name: row.tensors[name].to(model.device) for name in row.tensors if "labels" not in name}
        out = model(**inputs, use_cache=True)
        for branch in row.branches:
            logits = out.logits[0, branch.logits].float()
            expected = torch.tensor(branch.chat.answer, device=logits.device)
            likelihoods.append(-float(torch.nn.functional.cross_entropy(logits, expected, reduction="sum")))
            first.append(int(logits[0].argmax()))
            branches.append(branch)
            merge(rows, _prompt_rows(out.past_key_values, branch))

    limits = [MAX_ANSWER_TOKENS[branch.chat.example.task] for branch in branches]
    said = _greedy(model, rows, first, limits, tokenizer.eos_token_id)
    return [
        Answered(
            example=branch.chat.example,
            answer=tokenizer.decode(tokens, skip_special_tokens=True).strip(),
            log_likelihood=likelihood,
            tokens=len(branch.chat.answer),
        )
        for branch, tokens, likelihood in zip(branches, said, likelihoods, strict=True)
    ]


def _prompt_rows(cache: Any, branch: Branch) -> Rows:
    """The part of a packed forward's cache that belongs to one chat's prompt, as a row of its own."""
    positions = branch.prompt_positions
    rows = Rows()
    rows.join(
        [(layer.keys[:, :, positions], layer.values[:, :, positions]) for layer in cache.layers],
        [len(positions)],
    )
    return rows


def _greedy(model: Any, rows: Rows, first: Sequence[int], limits: Sequence[int], end: int) -> list[list[int]]:
    """The tokens of each row up to `end` or its limit; a row that is done leaves the batch."""
    said: list[list[int]] = [[token] for token in first]
    running = list(range(len(said)))
    while True:
        going = [
            place
            for place, row in enumerate(running)
            if said[row][-1] != end and len(said[row]) < limits[row]
        ]
        rows.keep(going)
        running = [running[place] for place in going]
        if not running:
            return [tokens[:-1] if tokens[-1] == end else tokens for tokens in said]
        chosen: torch.Tensor = rows.step(model, [said[row][-1] for row in running]).argmax(-1)
        for row, token in zip(running, chosen.tolist(), strict=True):
            said[row].append(token)


def _constant(questions: Sequence[Example], constants: Mapping[Task, str]) -> Measured:
    """The baseline's figures. It has no likelihoods, so its perplexity has no value."""
    measured = measure([Answered(example, constants.get(example.task, ""), 0.0, 1) for example in questions])
    nothing = estimate([], rouge_l())
    return Measured(
        **{name: getattr(measured, name) for name in Measured.__slots__} | {"perplexity": nothing}
    )


def _samples(answered: Mapping[Variant, Sequence[Answered]]) -> tuple[Sample, ...]:
    """The first examples of each task and group by id, so that two evaluations show the same ones."""
    said = {variant: {one.example.example_id: one for one in some} for variant, some in answered.items()}
    shown: list[Sample] = []
    counts: dict[tuple[Task, Group], int] = {}
    for _, one in sorted(said[Variant.BASE].items()):
        example = one.example
        kind = (example.task, example.group)
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= SAMPLES_PER_TASK:
            answers = {variant.value: by_id[example.example_id].answer for variant, by_id in said.items()}
            shown.append(
                Sample(
                    example.example_id,
                    example.task.value,
                    example.group.value,
                    example.input,
                    example.output,
                    answers,
                )
            )
    return tuple(sorted(shown, key=lambda sample: (sample.group, sample.task, sample.example_id)))
