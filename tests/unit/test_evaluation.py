"""Answers are measured as their authors define it, and decoding in a batch says what decoding alone would."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from curbside.contracts.tasks import MAX_ANSWER_TOKENS, Task
from curbside.testing.tiny_model import write_tiny_model
from curbside_training.domain.examples import Example, Group
from curbside_training.domain.measures import (
    Answered,
    Estimate,
    constant_answers,
    estimate,
    measure,
    normalized,
    same_answer,
)
from curbside_training.domain.packing import pack
from curbside_training.domain.recipe import Recipe
from curbside_training.driver import Standing, tune_and_evaluate
from curbside_training.evaluate import (
    EvaluationProgress,
    NothingToEvaluate,
    answer_all,
    evaluate,
    evaluate_on_ray,
)
from curbside_training.materials import Materials


def example(
    number: int, task: Task, output: str, *, subject: str = "s", group: Group = Group.TEST
) -> Example:
    prior = f"Prior of report {number}." if task is Task.COMPARE else None
    text = f"Report {number // 2}. " + "There is a nodule. " * (number // 2 + 1)
    return Example(f"{number}", f"report-{number // 2}", subject, task, text, output, prior, group)


def answered(output: str, answer: str, task: Task = Task.DIAGNOSE, subject: str = "s") -> Answered:
    return Answered(example(0, task, output, subject=subject), answer, -2.0, 2)


QUESTIONS = [
    example(0, Task.DIAGNOSE, "Lung nodule", subject="a"),
    example(1, Task.COMPARE, "New: nodule.", subject="a"),
    example(2, Task.SUMMARIZE, "Nodule on CT.", subject="b"),
    example(3, Task.ANOMALIES, "A nodule.", subject="b", group=Group.HOLDOUT),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    base: Any = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.bfloat16)
    model = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
    directory = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(directory)
    return directory


@pytest.mark.parametrize(
    ("reference", "answer", "same"),
    [
        ("Lung nodule", "lung nodule.", True),
        ("Community-acquired pneumonia", "Community acquired  pneumonia", True),
        ("Lung nodule", "Lung nodules", False),
        ("Lung nodule", "", False),
        ("T2N0 carcinoma", "T3N0 carcinoma", False),
        ("HER2+ carcinoma", "HER2- carcinoma", False),
        ("ER-/PR+ carcinoma", "ER+/PR- carcinoma", False),
        ("Nodule < 6 mm", "Nodule >6 mm", False),
        ("Nodule < 6 mm", "nodule <6 mm.", True),
        ("Sj\u00f6gren syndrome", "Sjo\u0308gren syndrome", True),
        ("M\u00fcller cyst", "M\u00f6ller cyst", False),
    ],
)
def test_a_diagnosis_is_right_when_its_words_are_the_same(reference: str, answer: str, same: bool) -> None:
    assert same_answer(answered(reference, answer))[0] == float(same)
    assert normalized(reference) == normalized(reference.upper())


def test_each_figure_counts_only_its_own_questions() -> None:
    measured = measure(
        [
            answered("Lung nodule", "Lung nodule"),
            answered("Rib fracture", "Lung nodule"),
            answered("Worse. Larger nodule.", "Worse: it grew", Task.COMPARE),
            answered("New. Nodule.", "Unchanged nodule", Task.COMPARE),
            answered("New. Nodule.", "I cannot say", Task.COMPARE),
        ]
    )
    assert (measured.diagnosis_accuracy.value, measured.diagnosis_accuracy.count) == (0.5, 2)
    assert measured.comparison_accuracy.value == pytest.approx(1 / 3)
    assert measured.perplexity.value == pytest.approx(2.718281828)
    assert measured.rouge_l.count == 5
    assert set(measured.rouge_l_by_task) == {"diagnose", "compare"}


def test_an_interval_is_wider_when_the_answers_come_from_fewer_patients() -> None:
    def width(patients: int) -> float:
        some = [
            answered(
                "yes", "yes" if number % patients < patients / 2 else "no", subject=str(number % patients)
            )
            for number in range(120)
        ]
        found = estimate(some, same_answer)
        assert found.low is not None
        assert found.high is not None
        assert found.low <= 0.5 <= found.high
        return found.high - found.low

    assert width(4) > width(12) > width(60)


def test_a_figure_without_questions_has_no_value() -> None:
    measured = measure([answered("New. Nodule.", "New.", Task.COMPARE)])
    assert measured.diagnosis_accuracy.value is None
    assert measured.diagnosis_accuracy.count == 0


@pytest.mark.parametrize("likelihood", [float("nan"), float("-inf"), -5000.0])
def test_a_model_that_diverged_has_no_perplexity(likelihood: float) -> None:
    question = example(0, Task.DIAGNOSE, "Lung nodule")
    found = measure([Answered(question, "", likelihood, 2)]).perplexity
    assert found == Estimate(None, None, None, 1)


def test_the_constant_answer_is_the_most_frequent_one() -> None:
    train = [example(i, Task.DIAGNOSE, text) for i, text in enumerate(["b", "a", "b", "a", "c"])]
    assert constant_answers(train) == {Task.DIAGNOSE: "a"}


def test_batched_answers_equal_generate_for_base_and_adapter(tiny: Path, adapter: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(tiny)
    # fp32: among random weights bf16 has ties, and the batch's size decides them.
    base: Any = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    tuned = PeftModel.from_pretrained(base, adapter)

    def said() -> dict[str, tuple[str, str]]:
        with torch.inference_mode():
            together = list(answer_all(tuned, tokenizer, pack(QUESTIONS, tokenizer, 1024).packs))
        return {one.example.example_id: (one.answer, alone(one.example)) for some in together for one in some}

    def alone(question: Example) -> str:
        inputs = tokenizer.apply_chat_template(
            question.messages(), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        tokens = tuned.generate(
            **inputs, max_new_tokens=MAX_ANSWER_TOKENS[question.task], do_sample=False, eos_token_id=2
        )
        answer: str = tokenizer.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        return answer.strip()

    with_adapter = said()
    with tuned.disable_adapter():
        without = said()
    for answers in (with_adapter, without):
        assert all(together == expected for together, expected in answers.values())
        assert len({together for together, _ in answers.values()}) == len(QUESTIONS)
    assert with_adapter != without


def test_base_and_tuned_are_asked_the_same_questions(tiny: Path, adapter: Path) -> None:
    told: list[EvaluationProgress] = []
    found = evaluate(QUESTIONS, base_model=tiny, adapter=adapter, on_progress=told.append)
    assert [(p.variant, p.answered, p.total) for p in told] == [("base", 4, 4), ("tuned", 4, 4)]
    for by_variant in found.measures.values():
        assert by_variant["base"].questions == by_variant["tuned"].questions
        assert by_variant["base"].perplexity != by_variant["tuned"].perplexity
    assert [set(sample.answers) for sample in found.samples] == [{"base", "tuned"}] * 4


def test_held_out_phrasings_are_told_apart(tiny: Path) -> None:
    found = evaluate(QUESTIONS, base_model=tiny, adapter=None, train=QUESTIONS)
    assert {group: set(by_variant) for group, by_variant in found.measures.items()} == {
        "held_out": {"base", "constant"},
        "test": {"base", "constant"},
        "holdout": {"base", "constant"},
    }
    assert found.measures["test"]["base"].questions == 3
    assert found.measures["holdout"]["base"].questions == 1
    assert found.measures["test"]["constant"].diagnosis_accuracy.value == 1.0
    assert found.measures["test"]["constant"].perplexity.value is None


def test_an_evaluation_has_a_json_form(tiny: Path) -> None:
    found = evaluate(QUESTIONS, base_model=tiny, adapter=None)
    again = json.loads(json.dumps(found.json(), allow_nan=False))
    low, value, high = (
        again["measures"]["test"]["base"]["perplexity"][key] for key in ("low", "value", "high")
    )
    assert 1 < low <= value <= high


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A Ray cluster that has one GPU by its own account."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}
    )
    yield cluster.address
    cluster.shutdown()


def finished_run(directory: Path, adapter: Path) -> Path:
    """The directory of a run that has been tuned and not evaluated yet, as a killed driver leaves it."""
    shutil.copytree(adapter, directory / "adapter")
    tuned = {"metrics": {}, "seconds": 1.0, "reports": 2, "examples": 4, "too_long": []}
    (directory / "finetuned.json").write_text(json.dumps({**tuned, "adapter": "adapter"}))
    return directory


def work(tiny: Path, directory: Path, ray_address: str | None) -> tuple[Mapping[str, Any], Standing]:
    standing = Standing()
    outcome = tune_and_evaluate(
        Recipe(base_model=str(tiny), cpus_per_worker=1),
        Materials(train=QUESTIONS, validation=[], held_out=QUESTIONS),
        run_id="run-1",
        directory=directory,
        standing=standing,
        cache=directory,
        ray_address=ray_address,
    )
    return outcome.evaluation, standing


@pytest.mark.slow
def test_on_a_cluster_a_worker_evaluates_and_finds_the_same(
    tiny: Path, adapter: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = work(tiny, finished_run(tmp_path / "here", adapter), None)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the driver loaded the model")

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", refuse)
    there, standing = work(tiny, finished_run(tmp_path / "there", adapter), address)
    assert there.keys() == here.keys()
    for variant in ("base", "tuned"):
        found, expected = (one["groups"]["held_out"][variant] for one in (there, here))
        assert found["questions"] == expected["questions"] == 4
        # The worker has one thread, and bf16 sums in another order.
        assert found["perplexity"]["value"] == pytest.approx(expected["perplexity"]["value"], rel=0.05)
    assert (standing.values["phase_done"], standing.values["phase_total"]) == (8, 8)


@pytest.mark.slow
def test_an_evaluation_takes_a_gpu_where_its_recipe_does_and_says_what_it_lacks(
    tiny: Path, adapter: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    asked: list[dict[str, Any]] = []
    options = ray.remote_function.RemoteFunction.options

    def noted(self: Any, **wanted: Any) -> Any:
        asked.append(wanted)
        return options(self, **wanted)

    monkeypatch.setattr(ray.remote_function.RemoteFunction, "options", noted)
    long = Example("long", "r", "s", Task.DIAGNOSE, "x" * 5000, "Lung nodule")
    with pytest.raises(NothingToEvaluate, match=r"max_tokens=64"):
        evaluate_on_ray(
            [long],
            recipe=Recipe(use_gpu=True, cpus_per_worker=1, max_tokens=64),
            base_model=tiny,
            adapter=adapter,
            train=[],
            run_id="run-1",
            ray_address=address,
            on_progress=lambda _: None,
        )
    assert {"num_cpus": 1, "num_gpus": 1, "max_retries": 2} in asked
    assert not ray.is_initialized()


def test_a_driver_that_has_worked_may_still_ask_the_hub(
    tiny: Path, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    work(tiny, finished_run(tmp_path / "run", adapter), None)
    assert "HF_HUB_OFFLINE" not in os.environ


def test_questions_that_do_not_fit_are_named(tiny: Path) -> None:
    long = Example("long", "r", "s", Task.DIAGNOSE, "x" * 5000, "Lung nodule")
    assert evaluate([*QUESTIONS, long], base_model=tiny, adapter=None).too_long == ("long",)
    with pytest.raises(NothingToEvaluate, match=r"max_tokens=64"):
        evaluate([long], base_model=tiny, adapter=None, max_tokens=64)
