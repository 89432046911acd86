"""LoRA fine-tuning: transformers' Trainer inside Ray Train, on CPUs and GPUs alike.

`finetune` runs in a driver process. Killed at any moment and run again with the same run id and directory, it
goes on at its last checkpoint; a worker that dies is restarted there by Ray.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Any

from curbside.errors import BadInput, MissingExtra
from curbside_training.domain.examples import Example
from curbside_training.domain.packing import Pack, Packed, collate, pack
from curbside_training.domain.recipe import Recipe
from curbside_training.ray_session import TrainingFailed, on_ray, tell


class NothingToLearn(BadInput):
    code = "training.nothing-to-learn"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands; `share` is of its steps or of its time limit, whichever ends first."""

    step: int
    total: int
    loss: float | None
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Finetuned:
    """What a run made. `adapter` is a PEFT directory; `too_long` names the examples that did not fit."""

    adapter: Path
    metrics: dict[str, float]
    seconds: float
    reports: int
    examples: int
    too_long: tuple[str, ...]


def finetune(
    recipe: Recipe,
    train: Sequence[Example],
    validation: Sequence[Example],
    *,
    base_model: Path | str,
    run_directory: Path,
    run_id: str,
    on_progress: Callable[[Progress], None],
    ray_address: str | None = None,
) -> Finetuned:
    """Tune `recipe` on `train` and return the adapter; a finished run is returned without running again.

    `base_model` is what `curbside.models.base_model_directory` gave for `recipe.base_model`. Checkpoints go
    to `run_directory/run_id`, the adapter to `run_directory/adapter`; on a cluster the directory is shared.
    Raises NothingToLearn where no example fits, TrainingFailed where Ray gives up.
    """
    finished = _finished(run_directory)
    if finished is not None:
        return finished
    started = time.monotonic()
    packed, checked = _pack_all(recipe, train, validation, base_model)
    if not packed.packs:
        raise NothingToLearn(
            f"No training example fits in max_tokens={recipe.max_tokens} ({len(train)} were given).",
            field="max_tokens",
            mend="Raise max_tokens in the recipe, or publish a dataset with examples.",
        )
    run_directory.mkdir(parents=True, exist_ok=True)
    checkpoint, metrics = _run_ray(
        recipe, packed.packs, checked.packs, base_model, run_directory, run_id, on_progress, ray_address
    )
    done = Finetuned(
        adapter=_take_adapter(checkpoint, run_directory, recipe.base_model),
        metrics=metrics,
        seconds=time.monotonic() - started,
        reports=len({chat.example.report_id for item in packed.packs for chat in item.chats}),
        examples=sum(len(item.chats) for item in packed.packs),
        too_long=(*packed.too_long, *checked.too_long),
    )
    _remember(done, run_directory)
    return done


def _pack_all(
    recipe: Recipe, train: Sequence[Example], validation: Sequence[Example], base_model: Path | str
) -> tuple[Packed, Packed]:
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingExtra(error.name or "transformers", "training") from error
    tokenizer = AutoTokenizer.from_pretrained(str(base_model), local_files_only=True)
    return (
        pack(train, tokenizer, recipe.max_tokens),
        pack(validation, tokenizer, recipe.max_tokens),
    )


def _run_ray(
    recipe: Recipe,
    train: Sequence[Pack],
    validation: Sequence[Pack],
    base_model: Path | str,
    run_directory: Path,
    run_id: str,
    on_progress: Callable[[Progress], None],
    ray_address: str | None,
) -> tuple[Any, dict[str, float]]:
    """Fit under Ray; the last checkpoint and its metrics."""
    with on_ray(
        f"the run {run_id}", recipe, ray_address, lambda told: on_progress(Progress(**told))
    ) as queue:
        import ray
        from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        trainer = TorchTrainer(
            train_on_worker,
            train_loop_config={
                "recipe": recipe.model_dump(),
                "base_model": str(base_model),
                # By reference: the ids of a large dataset are pickled once, not once for each worker.
                "train": [ray.put(list(train))],
                "validation": [ray.put(list(validation))],
                "queue": queue,
            },
            scaling_config=ScalingConfig(
                num_workers=recipe.workers,
                use_gpu=recipe.use_gpu,
                resources_per_worker={"CPU": recipe.cpus_per_worker} | ({"GPU": 1} if recipe.use_gpu else {}),
            ),
            run_config=RunConfig(
                name=run_id,
                storage_path=str(run_directory.resolve()),
                checkpoint_config=CheckpointConfig(num_to_keep=2),
                failure_config=FailureConfig(max_failures=recipe.max_failures),
            ),
        )
        result = trainer.fit()
    if result.checkpoint is None:
        raise TrainingFailed(f"The run {run_id} ended without a checkpoint.")
    numbers = {k: float(v) for k, v in (result.metrics or {}).items() if isinstance(v, int | float)}
    return result.checkpoint, numbers


def train_on_worker(config: dict[str, Any]) -> None:
    """What each Ray worker runs: load, adapt, train, and report every checkpoint."""
    import ray
    import ray.train
    import torch
    from ray.train.huggingface.transformers import RayTrainReportCallback, prepare_trainer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    recipe = Recipe.model_validate(config["recipe"])
    train: list[Pack] = ray.get(config["train"][0])
    validation: list[Pack] = ray.get(config["validation"][0])
    if not recipe.use_gpu:
        torch.set_num_threads(recipe.cpus_per_worker)

    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="curbside-run-") as output:
        report: Any = RayTrainReportCallback()  # type: ignore[no-untyped-call]
        trainer = prepare_trainer(
            assemble(
                recipe,
                train,
                validation,
                base_model=config["base_model"],
                output=Path(output),
                clock=clock,
                callbacks=[report, _teller(config["queue"], clock, recipe.time_limit)],
            )
        )
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            trainer.train()
        else:
            with checkpoint.as_directory() as directory:
                trainer.train(
                    resume_from_checkpoint=os.path.join(directory, RayTrainReportCallback.CHECKPOINT_NAME)
                )


@dataclass
class Clock:
    """The seconds that a run has taken, those before it was killed included; read once in a step.

    A reading holds until the next, so that the learning rate, the limit and the progress of a step agree.
    With several workers rank 0 reads for all: on clocks of their own they would take different learning
    rates, and the first to end would leave the others waiting for its gradients.
    """

    now: Callable[[], float] = time.monotonic
    seconds: float = 0.0
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.now()

    def resume(self, seconds: float) -> None:
        self.seconds, self._since = seconds, self.now() - seconds

    def read(self) -> None:
        from torch import distributed

        read = [self.now() - self._since]
        if distributed.is_available() and distributed.is_initialized():
            distributed.broadcast_object_list(read, src=0)
        self.seconds = read[0]


def assemble(
    recipe: Recipe,
    train: Sequence[Pack],
    validation: Sequence[Pack],
    *,
    base_model: str,
    output: Path,
    clock: Clock,
    callbacks: Sequence[Any],
) -> Any:
    """The Trainer of one worker. `callbacks` follow the one that keeps time."""
    import torch
    from transformers import Trainer, TrainingArguments

    model = adapted(recipe, base_model)
    per_step = recipe.reports_per_step * recipe.workers * recipe.gradient_accumulation
    total = ceil(len(train) / per_step) * recipe.epochs
    every = max(1, ceil(total / recipe.checkpoints_per_run))
    arguments = TrainingArguments(
        output_dir=str(output),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.reports_per_step,
        per_device_eval_batch_size=recipe.reports_per_step,
        gradient_accumulation_steps=recipe.gradient_accumulation,
        learning_rate=recipe.learning_rate,
        max_grad_norm=1.0,
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=not recipe.use_gpu,
        logging_steps=1,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=1,
        # RayTrainReportCallback reports the newest metrics with each checkpoint, so both come together.
        eval_strategy="steps" if validation else "no",
        eval_steps=every,
        prediction_loss_only=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=recipe.use_gpu,
        disable_tqdm=True,
        report_to=[],
        restore_callback_states_from_checkpoint=True,
    )
    optimizer = torch.optim.AdamW(
        (p for p in model.parameters() if p.requires_grad),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
    )
    warmup = max(1, round(total * recipe.warmup_share))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warmup, 1.0) * (1.0 - _share(step, total, clock, recipe.time_limit)),
    )
    return Trainer(
        model=model,
        args=arguments,
        data_collator=collate,
        train_dataset=train,
        eval_dataset=validation or None,
        optimizers=(optimizer, schedule),
        callbacks=[_pace(clock, recipe.time_limit), *callbacks],
    )


def _share(step: int, total: int, clock: Clock, limit: timedelta | None) -> float:
    """The part of a run that is over, by its steps or by its time, whichever ends first."""
    return min(1.0, max(step / total, clock.seconds / limit.total_seconds() if limit else 0.0))


def adapted(recipe: Recipe, base_model: str) -> Any:
    """The base in bf16, frozen, with a fresh fp32 adapter on the linear layers of its upper blocks.

    bf16 weights train twice as fast as fp32 on a CPU without losing quality (238 against 109 tokens/s); the
    adapter stays fp32 because its updates are smaller than bf16 can add.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(recipe.seed)
    model: Any = AutoModelForCausalLM.from_pretrained(base_model, dtype=torch.bfloat16)
    model.config.use_cache = False
    head = model.get_output_embeddings()
    targets = {
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }
    lora = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        target_modules=sorted(targets),
        layers_to_transform=recipe.lora.layers(model.config.num_hidden_layers),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, lora)


def _pace(clock: Clock, limit: timedelta | None) -> Any:
    """A callback that ends a run at its time limit with a checkpoint, and keeps its time in checkpoints.

    When transformers restores a checkpoint it drops the callback and makes another of the same class. The
    time therefore stands in `clock`, which both share with the learning rate's schedule.
    """
    from transformers.trainer_callback import ExportableState, TrainerCallback

    class Pace(TrainerCallback, ExportableState):
        def __init__(self, seconds: float = 0.0) -> None:
            clock.resume(seconds)

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            clock.resume(clock.seconds)

        # The schedule steps after this and before on_step_end.
        def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            clock.read()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if limit and clock.seconds >= limit.total_seconds():
                control.should_training_stop = control.should_save = True
                control.should_evaluate = args.eval_strategy != "no"

        def state(self) -> dict[str, Any]:
            return {"args": {"seconds": clock.seconds}, "attributes": {}}

    return Pace()


def _teller(queue: Any, clock: Clock, limit: timedelta | None) -> Any:
    """A callback that puts each step's loss on `queue`."""
    from transformers.trainer_callback import TrainerCallback

    class Teller(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if state.is_world_process_zero and logs and "loss" in logs:
                said = Progress(
                    step=state.global_step,
                    total=state.max_steps,
                    loss=float(logs["loss"]),
                    seconds=clock.seconds,
                    share=_share(state.global_step, state.max_steps, clock, limit),
                )
                tell(queue, asdict(said))

    return Teller()


def _take_adapter(checkpoint: Any, run_directory: Path, base_model: str) -> Path:
    """Copy the adapter of a Ray checkpoint to `run_directory/adapter`, whole or not at all."""
    from ray.train.huggingface.transformers import RayTrainReportCallback

    place = run_directory / "adapter"
    with (
        checkpoint.as_directory() as source,
        tempfile.TemporaryDirectory(dir=run_directory, prefix=".adapter-") as scratch,
    ):
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            shutil.copyfile(Path(source, RayTrainReportCallback.CHECKPOINT_NAME, name), Path(scratch, name))
        settings = Path(scratch, "adapter_config.json")
        # The path of one machine's cache means nothing on another.
        written = json.loads(settings.read_text("utf-8")) | {"base_model_name_or_path": base_model}
        settings.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", "utf-8")
        if place.exists():
            shutil.rmtree(place)
        shutil.copytree(scratch, place)
    return place


def _remember(done: Finetuned, run_directory: Path) -> None:
    """Write `finetuned.json` last of all: where it stands, the run is finished."""
    content = asdict(done) | {"adapter": done.adapter.name}
    partial = run_directory / ".finetuned.json"
    partial.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    partial.replace(run_directory / "finetuned.json")


def _finished(run_directory: Path) -> Finetuned | None:
    path = run_directory / "finetuned.json"
    if not path.is_file():
        return None
    content = json.loads(path.read_text("utf-8"))
    content["adapter"] = run_directory / content["adapter"]
    content["too_long"] = tuple(content["too_long"])
    return Finetuned(**content)
