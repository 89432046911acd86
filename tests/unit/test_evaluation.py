"""Answers are measured as their authors define it, and decoding in a batch says what decoding alone would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curbside.contracts.tasks import MAX_ANSWER_TOKENS, Task
from curbside.testing.tiny_model import write_tiny_model
from curbside_training.domain.examples import Example, Group
from curbside_training.domain.measures import (
    Answered,
    constant_answers,
    estimate,
    measure,
    normalized,
    same_answer,
)
from curbside_training.domain.packing import pack
from curbside_training.evaluate import EvaluationProgress, NothingToEvaluate, answer_all, evaluate


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


def test_questions_that_do_not_fit_are_named(tiny: Path) -> None:
    long = Example("long", "r", "s", Task.DIAGNOSE, "x" * 5000, "Lung nodule")
    assert evaluate([*QUESTIONS, long], base_model=tiny, adapter=None).too_long == ("long",)
    with pytest.raises(NothingToEvaluate, match=r"max_tokens=64"):
        evaluate([long], base_model=tiny, adapter=None, max_tokens=64)
