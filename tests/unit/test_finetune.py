"""A tiny model really trains: its adapter changes, its base does not, and a killed run goes on."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from curbside.contracts.tasks import Change, Task
from curbside.testing.tiny_model import write_tiny_model
from curbside_training.domain.examples import Example
from curbside_training.domain.packing import batch, pack
from curbside_training.domain.recipe import BadRecipe, Lora, Recipe, load_recipe
from curbside_training.evaluate import evaluate
from curbside_training.finetune import Clock, Finetuned, NothingToLearn, Progress, adapted, assemble, finetune
from curbside_training.ray_session import TrainingFailed, on_ray, tell

FINDINGS = {"nodule": "Lung nodule", "effusion": "Pleural effusion", "fracture": "Rib fracture"}


def questions(report: int) -> list[Example]:
    finding, diagnosis = list(FINDINGS.items())[report % 3]
    text = f"CT chest no {report}. There is a {finding}."

    def example(task: Task, output: str, prior: str | None = None) -> Example:
        identity = f"{report}-{task}"
        return Example(identity, f"report-{report}", f"subject-{report % 5}", task, text, output, prior)

    return [
        example(Task.DIAGNOSE, diagnosis),
        example(Task.ANOMALIES, f"A {finding}."),
        example(Task.SUMMARIZE, f"{diagnosis} on CT."),
        example(Task.COMPARE, f"{Change.NEW}: {finding}.", prior="CT chest. Normal."),
    ]


EXAMPLES = [example for report in range(6) for example in questions(report)]
QUICK = Recipe(
    base_model="tiny",
    lora=Lora(rank=4, alpha=8),
    learning_rate=1e-2,
    epochs=2,
    reports_per_step=2,
    cpus_per_worker=1,
    checkpoints_per_run=2,
)
LONGER = QUICK.model_copy(update={"epochs": 10, "checkpoints_per_run": 10})
LIMITED = LONGER.model_copy(update={"time_limit": timedelta(hours=1)})


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def test_packed_logits_equal_those_of_each_chat_alone(tiny: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model: Any = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    packed = pack(EXAMPLES[:12], tokenizer, 1024)
    row = batch(packed.packs)
    with torch.inference_mode():
        together = model(**row.tensors)
        losses = []
        for branch in row.branches:
            chat = branch.chat
            alone = model(input_ids=torch.tensor([[*chat.prompt, *chat.answer]])).logits[0]
            answering = alone[len(chat.prompt) - 1 : -1]
            torch.testing.assert_close(together.logits[0, branch.logits], answering, atol=1e-5, rtol=1e-4)
            losses.append(
                torch.nn.functional.cross_entropy(answering, torch.tensor(chat.answer), reduction="sum")
            )
        expected = torch.stack(losses).sum() / packed.answer_tokens
    torch.testing.assert_close(together.loss, expected, atol=1e-5, rtol=1e-4)


def test_a_report_is_encoded_once_for_its_questions(tiny: Path) -> None:
    from transformers import AutoTokenizer

    packed = pack(questions(1), AutoTokenizer.from_pretrained(tiny), 1024)
    (only,) = packed.packs
    assert len(only.chats) == 4
    assert only.prefix_length > len(questions(1)[0].input)
    assert len(only) < sum(map(len, only.chats)) - 3 * only.prefix_length


def test_the_prompt_in_a_pack_is_what_the_engine_would_be_asked(tiny: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    for example in questions(2):
        (only,) = pack([example], tokenizer, 1024).packs
        asked = tokenizer.apply_chat_template(
            example.messages(), add_generation_prompt=True, return_dict=False
        )
        assert list(only.chats[0].prompt) == asked
        assert tokenizer.decode(only.chats[0].answer) == f"{example.output}<|im_end|>"


def test_an_example_that_is_too_long_is_named_and_not_cut(tiny: Path) -> None:
    from transformers import AutoTokenizer

    short, long = questions(0)[0], Example("long", "r", "s", Task.DIAGNOSE, "x" * 5000, "Lung nodule")
    packed = pack([short, long], AutoTokenizer.from_pretrained(tiny), 1024)
    assert packed.too_long == ("long",)
    assert [chat.example for item in packed.packs for chat in item.chats] == [short]


def test_a_report_with_many_questions_is_split_to_fit(tiny: Path) -> None:
    from transformers import AutoTokenizer

    many = [Example(str(i), "one", "s", Task.ANOMALIES, "x" * 100, f"{i} " * 40) for i in range(12)]
    packed = pack(many, AutoTokenizer.from_pretrained(tiny), 400)
    assert len(packed.packs) > 1
    assert all(len(item) <= 800 for item in packed.packs)
    assert sum(len(item.chats) for item in packed.packs) == 12


def test_only_the_upper_half_is_adapted(tiny: Path) -> None:
    import torch

    model = adapted(QUICK, str(tiny))
    trained = {name: p.dtype for name, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".layers.")[1][0] for name in trained} == {"2", "3"}
    assert set(trained.values()) == {torch.float32}
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.bfloat16}


def test_a_recipe_is_read_from_yaml_and_its_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("epochs: 3\nlora: {rank: 8}\ntime_limit: 420\n")
    recipe = load_recipe(path)
    assert (recipe.epochs, recipe.lora.rank, recipe.time_limit and recipe.time_limit.total_seconds()) == (
        3,
        8,
        420,
    )
    assert recipe.fingerprint() == load_recipe(path).fingerprint() != Recipe().fingerprint()
    path.write_text("lora: {ranks: 8}\n")
    with pytest.raises(BadRecipe, match=r"lora\.ranks") as caught:
        load_recipe(path)
    assert caught.value.field == "lora.ranks"


def test_nothing_that_fits_is_said_before_anything_starts(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingToLearn, match=r"max_tokens=32"):
        finetune(
            QUICK.model_copy(update={"max_tokens": 32}),
            EXAMPLES,
            [],
            base_model=tiny,
            run_directory=tmp_path,
            run_id="run",
            on_progress=lambda _: None,
        )


class Killed(Exception):
    pass


def learning_rates(
    tiny: Path, output: Path, recipe: Recipe, *, killed_after: int | None = None, resume: str | None = None
) -> list[tuple[int, float]]:
    """Step and learning rate of a run whose every step takes ten seconds."""
    from transformers import AutoTokenizer
    from transformers.trainer_callback import TrainerCallback

    seconds = [1000.0 if resume else 0.0]
    rates: list[tuple[int, float]] = []

    class Told(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            seconds[0] += 10

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "learning_rate" in logs:
                rates.append((state.global_step, logs["learning_rate"]))
            if state.global_step == killed_after and (output / f"checkpoint-{killed_after - 1}").exists():
                raise Killed

    trainer = assemble(
        recipe,
        pack(EXAMPLES, AutoTokenizer.from_pretrained(tiny), 1024).packs,
        [],
        base_model=str(tiny),
        output=output,
        clock=Clock(now=lambda: seconds[0]),
        callbacks=[Told()],
    )
    try:
        trainer.train(resume_from_checkpoint=resume)
    except Killed:
        assert killed_after is not None
    return rates


def test_a_resumed_run_has_the_time_left_that_it_had(tiny: Path, tmp_path: Path) -> None:
    recipe = LONGER.model_copy(update={"time_limit": timedelta(seconds=100)})
    whole = learning_rates(tiny, tmp_path / "whole", recipe)
    assert whole[-1][0] == 10  # of the 30 steps that ten epochs take
    first = learning_rates(tiny, tmp_path / "killed", recipe, killed_after=7)
    second = learning_rates(
        tiny, tmp_path / "resumed", recipe, resume=str(tmp_path / "killed" / "checkpoint-6")
    )
    assert (first[-1][0], second[0][0]) == (7, 7)
    assert second[0][1] <= first[-1][1]
    assert [*first[:6], *second] == whole


def read_on_rank(rank: int, rendezvous: str, results: Any) -> None:
    from torch import distributed

    distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    times = iter([0.0, 10.0 + rank, 20.0 + 5 * rank])
    clock = Clock(now=lambda: next(times))
    seconds = []
    for _ in range(2):
        clock.read()
        seconds.append(clock.seconds)
    results.put(seconds)
    distributed.barrier()
    distributed.destroy_process_group()


def test_workers_go_by_the_clock_of_the_first(tmp_path: Path) -> None:
    from torch import multiprocessing

    results = multiprocessing.get_context("spawn").Queue()
    multiprocessing.spawn(read_on_rank, (str(tmp_path / "rendezvous"), results), nprocs=2)
    assert [results.get(timeout=10) for _ in range(2)] == [[10.0, 20.0], [10.0, 20.0]]


def test_a_time_limit_is_longer_than_nothing() -> None:
    with pytest.raises(ValidationError, match="time_limit"):
        Recipe(time_limit=timedelta(0))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(tiny: Path, directory: Path, told: list[Progress], recipe: Recipe = QUICK) -> Finetuned:
    return finetune(
        recipe,
        EXAMPLES,
        EXAMPLES[:4],
        base_model=tiny,
        run_directory=directory,
        run_id="run-1",
        on_progress=told.append,
    )


DRIVER = """
import json, os, signal, sys
from contextlib import suppress
from pathlib import Path
import psutil
sys.path[:0] = [sys.argv[3]]
from test_finetune import LIMITED, run

def registered():
    # A checkpoint's directory is there before it is whole; Ray goes on from those that this file names.
    with suppress(OSError, ValueError):
        state = (Path(sys.argv[2]) / "run-1" / "checkpoint_manager_snapshot.json").read_text("utf-8")
        return json.loads(state)["checkpoint_results"]

class Told(list):
    def append(self, progress):
        if registered():
            children = [child.pid for child in psutil.Process().children(recursive=True)]
            print(progress.step, *children, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

run(Path(sys.argv[1]), Path(sys.argv[2]), Told(), LIMITED)
"""


@pytest.mark.slow
def test_training_changes_the_adapter_and_not_the_base(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    from safetensors.torch import load_file

    before = digest(tiny / "model.safetensors")
    told: list[Progress] = []
    done = run(tiny, tmp_path, told)
    assert digest(tiny / "model.safetensors") == before
    weights = load_file(done.adapter / "adapter_model.safetensors")
    assert any(tensor.abs().sum() > 0 for name, tensor in weights.items() if "lora_B" in name)
    assert (done.examples, done.reports, done.too_long) == (24, 6, ())
    assert [progress.step for progress in told] == [1, 2, 3, 4, 5, 6]
    assert told[-1].total == 6
    assert told[-1].share == 1.0
    assert done.metrics["eval_loss"] > 0

    again: list[Progress] = []
    assert run(tiny, tmp_path, again) == done
    assert again == []


@pytest.mark.slow
def test_a_killed_driver_leaves_no_process_and_resumes_at_its_checkpoint(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    killed = subprocess.run(
        [sys.executable, "-c", DRIVER, str(tiny), str(tmp_path), str(Path(__file__).parent)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL
    spent: dict[int, float] = {}
    for path in tmp_path.glob("run-1/checkpoint_*/checkpoint/trainer_state.json"):
        with suppress(ValueError):  # a dying worker may leave half a checkpoint, which Ray does not count
            state = json.loads(path.read_text("utf-8"))
            spent[state["global_step"]] = state["stateful_callbacks"]["Pace"]["args"]["seconds"]
    told: list[Progress] = []
    done = run(tiny, tmp_path, told, LIMITED)
    assert told[0].step > 1
    assert told[0].seconds > spent[told[0].step - 1] > 0
    assert told[-1].step == told[-1].total == 30
    assert (done.adapter / "adapter_config.json").is_file()
    children = [int(pid) for pid in killed.stdout.split()[1:]]
    left = [psutil.Process(pid) for pid in children if psutil.pid_exists(pid)]
    assert len(children) > 3  # gcs, raylet, the worker and its controller at least
    # Ray's two agents try for a minute to tell the dead GCS of the dead raylet before they end.
    assert psutil.wait_procs(left, timeout=180)[1] == []


@pytest.mark.slow
def test_two_workers_end_together_at_their_time_limit_on_a_ray_of_their_own(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # somebody's cluster, which is none of ours
    told: list[Progress] = []
    recipe = QUICK.model_copy(
        update={"workers": 2, "reports_per_step": 1, "epochs": 1000, "time_limit": timedelta(seconds=3)}
    )
    done = run(tiny, tmp_path, told, recipe)
    assert told[-1].step < told[-1].total
    assert told[-1].share == 1.0
    assert done.metrics["eval_loss"] > 0


@pytest.mark.slow
def test_a_lost_queue_costs_only_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")
    import ray

    told: list[Any] = []
    heard = threading.Event()

    def hear(message: Any) -> None:
        told.append(message)
        heard.set()

    with on_ray("a test", QUICK, None, hear) as queue:
        tell(queue, {"step": 1})
        assert heard.wait(60)
        ray.kill(queue.actor, no_restart=True)
        tell(queue, {"step": 2})
    assert told == [{"step": 1}]
    assert not ray.is_initialized()


@pytest.mark.parametrize(
    ("address", "mend"), [("ray://127.0.0.1:1", "CURBSIDE_TRAINING__RAY_ADDRESS"), (None, "memory")]
)
@pytest.mark.parametrize("failing", ["init", "queue"])
def test_a_ray_that_does_not_start_is_shut_down_and_said_in_a_sentence(
    failing: str, address: str | None, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray
    import ray.util.queue

    def refuse(**_: Any) -> None:
        raise ConnectionError("127.0.0.1:1")

    ended: list[bool] = []
    monkeypatch.setattr(ray, "init", refuse if failing == "init" else lambda **_: None)
    monkeypatch.setattr(ray, "shutdown", lambda: ended.append(True))
    monkeypatch.setattr(ray.util.queue, "Queue", refuse)
    said = r"Ray did not start for the run r1 \(ConnectionError\)"
    with pytest.raises(TrainingFailed, match=said) as caught, on_ray("the run r1", QUICK, address, print):
        pass
    assert mend in (caught.value.mend or "")
    # One of our own is begun once more.
    assert ended == [True] * (2 if failing == "init" and address is None else 1)


@pytest.mark.gpu
def test_a_gpu_tunes_and_evaluates(tiny: Path, tmp_path: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device on this machine: run this on one with a GPU and its driver")
    told: list[Progress] = []
    done = run(tiny, tmp_path, told, QUICK.model_copy(update={"use_gpu": True}))
    assert told[-1].step == told[-1].total == 6
    assert done.metrics["eval_loss"] > 0
    torch.cuda.reset_peak_memory_stats()
    found = evaluate(EXAMPLES, base_model=tiny, adapter=done.adapter, use_gpu=True)
    assert torch.cuda.max_memory_allocated() > 0
    measured = found.measures["held_out"]
    assert measured["base"].questions == measured["tuned"].questions == len(EXAMPLES)
    assert measured["base"].perplexity != measured["tuned"].perplexity
