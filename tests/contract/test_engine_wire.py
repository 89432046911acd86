"""The embedded engine speaks text-generation-inference's wire, to huggingface_hub and in the raw."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub.constants
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import OverloadedError, ValidationError

from curbside.errors import OperatorError
from curbside.testing.tiny_model import write_tiny_model
from curbside_inference.engine import app, generation
from curbside_inference.engine.app import Engine, PortTaken, create_app, run_engine
from curbside_inference.engine.generation import Ask, Event, Failed, Generator, Overloaded, Step
from curbside_inference.engine.models import Models
from curbside_inference.engine.sampling import Sampling
from curbside_inference.engine.settings import EngineSettings

MOST = 4  # concurrent requests
ASKED: list[dict[str, str]] = [{"role": "user", "content": "Report: a nodule."}]

SERVE = """
import sys
from curbside_inference.engine.app import run_engine
from curbside_inference.engine.settings import EngineSettings
settings = EngineSettings.model_validate_json(sys.argv[1])
run_engine(settings, sys.argv[2], on_bound=lambda port: print(port, flush=True))
"""


@dataclass(frozen=True)
class Served:
    url: str
    http: httpx2.Client
    adapters: Path
    adapter: Path  # to be copied where a version should appear

    def post(self, path: str, **body: Any) -> httpx2.Response:
        return self.http.post(path, json=body)

    def events(self, path: str, **body: Any) -> list[Any]:
        with self.http.stream("POST", path, json=body) as reply:
            assert reply.status_code == 200
            assert reply.headers["content-type"].startswith("text/event-stream")
            assert reply.headers["x-accel-buffering"] == "no"
            lines = [line for line in reply.iter_lines() if line]
        assert all(line.startswith("data:") for line in lines)
        return [line if line == "data: [DONE]" else json.loads(line[5:]) for line in lines]

    def metric(self, name: str) -> float:
        lines = self.http.get("/metrics").text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(name + " "))


def write_adapter(model: Path, directory: Path, seed: int) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    base: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16)
    lora = LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(base, lora).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    adapters = tmp_path_factory.mktemp("adapters")
    adapter = write_adapter(tiny, tmp_path_factory.mktemp("adapter"), seed=5)
    settings = EngineSettings(
        adapters_dir=adapters,
        cache_dir=adapters,
        port=0,
        max_concurrent_requests=MOST,
        threads=1,
    )
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, settings.model_dump_json(), str(tiny)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HF_HUB_OFFLINE": "1"},
    ) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        try:
            with httpx2.Client(base_url=url, timeout=60) as http:
                while http.get("/health").status_code != 200:
                    assert process.poll() is None
                yield Served(url, http, adapters, adapter)
        finally:  # also where the setup fails: Popen would wait for ever
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) in (0, -signal.SIGTERM)


@pytest.fixture(autouse=True)
def hub_client_may_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where HF_HUB_OFFLINE is set, the hub's client refuses every address, this machine's too."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def greedy(**more: Any) -> dict[str, Any]:
    return {"max_new_tokens": 8, **more}


def test_post_root_replies_a_list_of_one(engine: Served) -> None:
    reply = engine.post("/", inputs="Report:", parameters=greedy(details=True))
    (only,) = reply.json()
    details = only["details"]
    assert details["finish_reason"] == "length"
    assert details["generated_tokens"] == len(details["tokens"]) == 8
    assert details["seed"] is None
    assert details["prefill"] == []
    assert set(details["tokens"][0]) == {"id", "text", "logprob", "special"}
    assert all(token["logprob"] < 0 for token in details["tokens"])


def test_generate_replies_an_object_and_details_are_off_unless_asked_for(engine: Served) -> None:
    reply = engine.post("/generate", inputs="Report:", parameters=greedy())
    assert set(reply.json()) == {"generated_text"}
    again = engine.post("/", inputs="Report:", parameters=greedy()).json()[0]
    assert again == reply.json()


def test_the_headers_say_what_it_took(engine: Served) -> None:
    headers = engine.post("/generate", inputs="Report:", parameters=greedy()).headers
    assert headers["x-compute-type"] == "cpu"
    assert float(headers["x-compute-time"]) > 0
    assert headers["x-compute-characters"] == headers["x-prompt-tokens"] == "7"
    assert headers["x-generated-tokens"] == "8"
    for name in ("total", "validation", "queue", "inference"):
        assert int(headers[f"x-{name}-time"]) >= 0
    assert int(headers["x-time-per-token"]) >= 0


def test_a_stream_carries_one_token_an_event_and_the_whole_text_in_the_last(engine: Served) -> None:
    events = engine.events("/generate_stream", inputs="Report:", parameters=greedy())
    whole = engine.post("/generate", inputs="Report:", parameters=greedy(details=True)).json()
    assert [event["index"] for event in events] == list(range(1, 9))
    assert [event["token"] for event in events] == whole["details"]["tokens"]
    assert {event["generated_text"] for event in events[:-1]} == {None}
    assert {json.dumps(event["details"]) for event in events[:-1]} == {"null"}
    assert events[-1]["generated_text"] == whole["generated_text"]
    assert events[-1]["details"] == {
        "finish_reason": "length",
        "generated_tokens": 8,
        "seed": None,
        "input_length": 7,
    }


def test_post_root_streams_when_asked_to(engine: Served) -> None:
    events = engine.events("/", inputs="Report:", parameters=greedy(), stream=True)
    assert len(events) == 8
    assert events[-1]["details"]["finish_reason"] == "length"


def test_without_max_new_tokens_the_whole_context_is_used(engine: Served) -> None:
    info = engine.http.get("/info").json()
    # Three tokens are left after the prompt.
    inputs = "x" * (info["max_total_tokens"] - 3)
    reply = engine.post("/generate", inputs=inputs, parameters={"details": True, "do_sample": False}).json()
    assert reply["details"]["generated_tokens"] == 3


def test_sampling_is_the_default_only_without_a_parameters_object(engine: Served) -> None:
    info = engine.http.get("/info").json()
    inputs = "x" * (info["max_total_tokens"] - 12)
    sampled = {engine.post("/generate", inputs=inputs).json()["generated_text"] for _ in range(4)}
    fixed = {
        engine.post("/generate", inputs=inputs, parameters={}).json()["generated_text"] for _ in range(4)
    }
    assert len(sampled) > 1
    assert len(fixed) == 1


def test_a_seed_decides_whatever_it_is_batched_with(engine: Served) -> None:
    drawn = greedy(do_sample=True, seed=11, temperature=1.5, details=True)
    alone = engine.post("/generate", inputs="Report:", parameters=drawn).json()
    assert alone["details"]["seed"] == 11
    with engine.http.stream("POST", "/generate_stream", json={"inputs": "other", "parameters": {}}):
        beside = engine.post("/generate", inputs="Report:", parameters=drawn).json()
    assert beside["generated_text"] == alone["generated_text"]
    other = engine.post("/generate", inputs="Report:", parameters=drawn | {"seed": 12}).json()
    assert other["generated_text"] != alone["generated_text"]


@pytest.mark.parametrize("more", [{"temperature": 2.0}, {"top_k": 50}, {"top_p": 0.9}, {"typical_p": 0.9}])
def test_a_temperature_or_a_filter_samples_without_do_sample(engine: Served, more: dict[str, Any]) -> None:
    drawn = engine.post("/generate", inputs="Report:", parameters=greedy(details=True, **more)).json()
    assert isinstance(drawn["details"]["seed"], int)


def test_top_k_of_one_is_greedy(engine: Served) -> None:
    narrow = engine.post("/generate", inputs="Report:", parameters=greedy(top_k=1)).json()
    assert narrow == engine.post("/generate", inputs="Report:", parameters=greedy()).json()


def test_a_stop_sequence_ends_the_answer_and_stays_in_it(engine: Served) -> None:
    tokens = engine.post("/generate", inputs="Report:", parameters=greedy(details=True)).json()["details"][
        "tokens"
    ]
    text = [token["text"] for token in tokens]
    place = next(i for i, part in enumerate(text) if i >= 2 and part and part not in text[:i])
    stopped = engine.post(
        "/generate", inputs="Report:", parameters=greedy(details=True, stop=[text[place]])
    ).json()
    assert stopped["details"]["finish_reason"] == "stop_sequence"
    assert stopped["generated_text"].endswith(text[place])
    assert len(stopped["details"]["tokens"]) == place + 1


def test_the_end_token_ends_the_answer_and_is_not_in_its_text(engine: Served) -> None:
    # At this temperature every token is about as likely as every other: one in 259 ends the answer.
    drawn = {"do_sample": True, "temperature": 50.0, "details": True}
    for seed in range(1, 40):
        reply = engine.post("/generate", inputs="Report:", parameters=drawn | {"seed": seed}).json()
        if reply["details"]["finish_reason"] == "eos_token":
            break
    last = reply["details"]["tokens"][-1]
    assert (last["text"], last["special"]) == ("<|im_end|>", True)
    assert "<|im_end|>" not in reply["generated_text"]


def test_the_prompt_is_returned_and_scored_where_asked_for(engine: Served) -> None:
    asked = greedy(return_full_text=True, decoder_input_details=True, top_n_tokens=3)
    reply = engine.post("/generate", inputs="Report:", parameters=asked).json()
    assert reply["generated_text"].startswith("Report:")
    prefill = reply["details"]["prefill"]
    assert "".join(token["text"] for token in prefill) == "Report:"
    assert prefill[0]["logprob"] is None
    assert all(token["logprob"] < 0 for token in prefill[1:])
    for token, tops in zip(reply["details"]["tokens"], reply["details"]["top_tokens"], strict=True):
        assert next(top["id"] for top in tops) == token["id"]
        assert len(tops) == 3


def test_truncate_keeps_the_end_of_the_prompt(engine: Served) -> None:
    asked = greedy(truncate=4, decoder_input_details=True)
    reply = engine.post("/generate", inputs="Report:", parameters=asked).json()
    assert "".join(token["text"] for token in reply["details"]["prefill"]) == "ort:"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"temperature": 0.0}, "`temperature` must be strictly positive"),
        ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"typical_p": 0.0}, "`typical_p` must be > 0.0 and < 1.0"),
        ({"top_k": 0}, "`top_k` must be strictly positive"),
        ({"repetition_penalty": 0.0}, "`repetition_penalty` must be strictly positive"),
        ({"frequency_penalty": -2.5}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"best_of": 2, "do_sample": True}, "`best_of` != 1 is not allowed for this endpoint"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ({"top_n_tokens": 9}, "`top_n_tokens` must be >= 0 and <= 5. Given: 9"),
        ({"truncate": 0}, "`truncate` must be strictly positive"),
        ({"max_new_tokens": 10_000}, "`inputs` tokens + `max_new_tokens` must be <= 1024"),
        ({"grammar": {"type": "regex", "value": "a"}}, "grammar is not supported"),
        ({"adapter_id": "no-such-version"}, "is not known"),
        ({"seed": -1}, "parameters.seed"),
        ({"max_new_tokens": "many"}, "parameters.max_new_tokens"),
    ],
)
def test_a_wrong_parameter_is_422_validation(
    engine: Served, parameters: dict[str, Any], message: str
) -> None:
    reply = engine.post("/generate", inputs="Report:", parameters=parameters)
    assert reply.status_code == 422
    assert reply.json()["error_type"] == "validation"
    assert message in reply.json()["error"]
    with pytest.raises(AssertionError):
        # In a stream the head is already sent, unless the body could not be read at all.
        if "parameters." in message:
            raise AssertionError
        (event,) = engine.events("/generate_stream", inputs="Report:", parameters=parameters)
        assert event == reply.json()
        raise AssertionError


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"parameters": {}}', b'{"inputs": ""}'])
def test_a_body_that_cannot_be_read_is_422(engine: Served, body: bytes) -> None:
    reply = engine.http.post("/generate", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 422
    assert reply.json()["error_type"] == "validation"


def test_chat_speaks_openai_and_agrees_with_generate(engine: Served) -> None:
    reply = engine.post("/v1/chat/completions", model="tgi", messages=ASKED, max_tokens=8, temperature=0.0)
    body = reply.json()
    assert body["object"] == "chat.completion"
    (choice,) = body["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 8
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + 8
    tokenized = engine.post("/chat_tokenize", messages=ASKED).json()
    assert len(tokenized["tokenize_response"]) == body["usage"]["prompt_tokens"]
    same = engine.post("/generate", inputs=tokenized["templated_text"], parameters=greedy()).json()
    assert choice["message"]["content"] == same["generated_text"]


def test_a_chat_stream_ends_with_done_and_its_usage_where_asked_for(engine: Served) -> None:
    asked = {"model": "tgi", "messages": ASKED, "max_tokens": 8, "temperature": 0.0}
    *chunks, usage, done = engine.events(
        "/v1/chat/completions", **asked, stream=True, stream_options={"include_usage": True}
    )
    assert done == "data: [DONE]"
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 8
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    whole = engine.post("/v1/chat/completions", **asked).json()["choices"][0]["message"]["content"]
    streamed = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert whole.startswith(streamed)  # a half character at the end is in the whole text only
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 7 + ["length"]


def test_the_model_field_selects_an_adapter_that_appeared_while_serving(engine: Served) -> None:
    def ask(model: str) -> httpx2.Response:
        return engine.post(
            "/v1/chat/completions", model=model, messages=ASKED, max_tokens=8, temperature=0.0, logprobs=True
        )

    base = ask("tgi").json()["choices"]
    missing = ask("v1.0-a")
    assert missing.status_code == 404
    assert missing.json()["error_type"] == "model_not_found"

    shutil.copytree(engine.adapter, engine.adapters / "v1.0-a")
    tuned = ask("v1.0-a").json()
    assert tuned["model"] == "v1.0-a"
    assert tuned["choices"] != base
    assert ask("tgi").json()["choices"] == base
    listed = [model["id"] for model in engine.http.get("/v1/models").json()["data"]]
    assert "v1.0-a" in listed

    # Base and adapter decode side by side and do not mix.
    with engine.http.stream(
        "POST", "/generate_stream", json={"inputs": "long", "parameters": {"max_new_tokens": 200}}
    ) as beside:
        assert ask("v1.0-a").json()["choices"] == tuned["choices"]
        assert len([line for line in beside.iter_lines() if line]) == 200


@pytest.mark.parametrize("model", ["../adapters/v1.0-a", "..", "/etc", "", "v1.0-a/"])
def test_a_model_is_a_version_and_never_a_path(engine: Served, model: str) -> None:
    reply = engine.post("/v1/chat/completions", model=model, messages=ASKED, max_tokens=2)
    assert reply.status_code == 404


def test_a_chat_that_cannot_be_answered_says_why(engine: Served) -> None:
    for body, error_type in (
        ({"messages": []}, "template_error"),
        ({"messages": ASKED, "tools": [{"type": "function"}]}, "tool_error"),
        ({"messages": ASKED, "response_format": {"type": "json_object"}}, "validation"),
        ({"messages": "hello"}, "validation"),
    ):
        reply = engine.post("/v1/chat/completions", **body)
        assert (reply.status_code, reply.json()["error_type"]) == (422, error_type)


def test_completions_vertex_invocations_and_tokenize_answer(engine: Served) -> None:
    text = engine.post("/generate", inputs="Report:", parameters=greedy()).json()["generated_text"]
    completed = engine.post("/v1/completions", prompt="Report:", max_tokens=8, temperature=0.0).json()
    assert completed["choices"][0]["text"] == text
    assert engine.post("/invocations", inputs="Report:", parameters=greedy()).json() == [
        {"generated_text": text}
    ]
    vertex = engine.post("/vertex", instances=[{"inputs": "Report:", "parameters": greedy()}]).json()
    assert vertex == {"predictions": [text]}
    tokens = engine.post("/tokenize", inputs="Rep").json()
    assert [(token["text"], token["start"], token["stop"]) for token in tokens] == [
        ("R", 0, 1),
        ("e", 1, 2),
        ("p", 2, 3),
    ]


def test_info_health_and_metrics_have_tgis_names(engine: Served) -> None:
    assert {
        "model_id",
        "max_concurrent_requests",
        "max_best_of",
        "max_stop_sequences",
        "max_input_tokens",
    } < set(info := engine.http.get("/info").json())
    assert info["max_concurrent_requests"] == MOST
    assert info["max_total_tokens"] == 1024
    assert engine.http.get("/health").content == b""
    for path in ("/ping", "/", "/docs", "/api-doc/openapi.json"):
        assert engine.http.get(path).status_code == 200
    before = engine.metric("tgi_request_success")
    engine.post("/generate", inputs="Report:", parameters=greedy())
    assert engine.metric("tgi_request_success") == before + 1
    page = engine.http.get("/metrics").text
    for name in (
        "tgi_request_count",
        "tgi_request_duration_bucket",
        "tgi_request_queue_duration_sum",
        "tgi_request_inference_duration_count",
        "tgi_request_mean_time_per_token_duration_sum",
        "tgi_request_validation_duration_sum",
        "tgi_request_input_length_sum",
        "tgi_request_generated_tokens_sum",
        "tgi_request_max_new_tokens_sum",
        "tgi_queue_size",
        "tgi_batch_current_size",
        "tgi_batch_current_max_tokens",
    ):
        assert f"\n{name}" in page


def test_a_full_engine_is_429_and_a_client_that_leaves_makes_room(engine: Served) -> None:
    long = {"inputs": "long", "parameters": {"max_new_tokens": 1000}}
    client = InferenceClient(engine.url)

    def refused(ask: Callable[[], bool]) -> bool:
        """`ask` of a full engine; False where it was not full all the while: an answer may have ended."""
        with ExitStack() as leave:
            replies = [
                leave.enter_context(engine.http.stream("POST", "/generate_stream", json=long))
                for _ in range(MOST)
            ]
            lines = [reply.iter_lines() for reply in replies]  # dropped, they would end the stream
            assert all(next(each).startswith("data:") for each in lines)
            if ask():
                return True
            was_full = engine.metric("tgi_batch_current_size") == MOST
        until_idle()
        assert not was_full
        return False

    def until_idle() -> None:
        while engine.metric("tgi_batch_current_size") > 0:
            pass

    def in_the_raw() -> bool:
        answer = engine.post("/generate", **long)
        overloaded = {"error": "Model is overloaded", "error_type": "overloaded"}
        return answer.status_code == 429 and bool(answer.json() == overloaded)

    def by_the_client(*, stream: bool) -> bool:
        try:
            list(client.text_generation("Report:", max_new_tokens=2, stream=stream))
        except OverloadedError:
            return True
        return False

    for ask in (in_the_raw, partial(by_the_client, stream=False), partial(by_the_client, stream=True)):
        assert any(refused(ask) for _ in range(5))
        answered = engine.metric("tgi_request_success")
        until_idle()
        # They were cancelled, not finished.
        assert engine.metric("tgi_request_success") == answered
    assert engine.post("/generate", inputs="Report:", parameters=greedy()).status_code == 200


def test_huggingface_hub_generates_streams_and_chats(engine: Served) -> None:
    text = engine.post("/generate", inputs="Report:", parameters=greedy()).json()["generated_text"]
    root = InferenceClient(engine.url)
    assert root.text_generation("Report:", max_new_tokens=8) == text
    details = root.text_generation("Report:", max_new_tokens=8, details=True)
    assert details.details.finish_reason == "length"
    *_, last = root.text_generation("Report:", max_new_tokens=8, details=True, stream=True)
    assert last.generated_text == text
    assert last.details.generated_tokens == 8
    assert (
        InferenceClient(base_url=f"{engine.url}/generate").text_generation("Report:", max_new_tokens=8)
        == text
    )
    with pytest.raises(ValidationError, match="strictly positive"):
        root.text_generation("Report:", max_new_tokens=0)

    chat = root.chat_completion(ASKED, max_tokens=8, temperature=0.0)
    streamed = root.chat_completion(ASKED, max_tokens=8, temperature=0.0, stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in streamed)
    assert (chat.choices[0].message.content or "").startswith(said)


def test_huggingface_hub_asks_for_info_and_health(engine: Served) -> None:
    client = InferenceClient(engine.url, provider="hf-inference")
    assert client.get_endpoint_info()["max_total_tokens"] == 1024
    assert client.health_check() is True


async def test_before_the_model_is_loaded_nothing_says_ready(tiny: Path, tmp_path: Path) -> None:
    unloaded = Engine(EngineSettings(adapters_dir=tmp_path, cache_dir=tmp_path), str(tiny))
    transport = httpx2.ASGITransport(app=create_app(unloaded))
    async with httpx2.AsyncClient(transport=transport, base_url="http://engine") as http:
        health = await http.get("/health")
        assert health.status_code == 503
        assert health.json() == {"error": "unhealthy", "error_type": "healthcheck"}
        assert (await http.post("/generate", json={"inputs": "Report:"})).status_code == 503
        chat = await http.post("/v1/chat/completions", json={"messages": ASKED})
        assert chat.status_code == 503


async def test_with_an_api_key_only_its_holder_generates(tiny: Path, tmp_path: Path) -> None:
    guarded = Engine(EngineSettings(adapters_dir=tmp_path, cache_dir=tmp_path, api_key="k" * 32), str(tiny))
    transport = httpx2.ASGITransport(app=create_app(guarded))
    async with httpx2.AsyncClient(transport=transport, base_url="http://engine") as http:
        for path in ("/", "/generate", "/generate_stream", "/v1/chat/completions", "/v1/completions"):
            refused = await http.post(path, json={"inputs": "Report:", "messages": ASKED, "prompt": "x"})
            assert (refused.status_code, refused.content) == (401, b"")
        held = {"authorization": "Bearer " + "k" * 32}
        assert (await http.post("/generate", json={"inputs": "R"}, headers=held)).status_code == 503
        assert (await http.get("/info")).status_code == 200


def test_a_missing_model_is_one_sentence(tmp_path: Path) -> None:
    settings = EngineSettings(adapters_dir=tmp_path, cache_dir=tmp_path, port=0)
    with pytest.raises(OperatorError, match="does not exist") as caught:
        run_engine(settings, "/no/such/model")
    assert "\n" not in str(caught.value)


def test_a_model_that_cannot_be_loaded_ends_the_engine(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    settings = EngineSettings(adapters_dir=tmp_path, cache_dir=tmp_path, port=0)
    with pytest.raises(OperatorError, match="cannot be loaded"):
        run_engine(settings, str(tmp_path))


def test_a_taken_port_is_one_sentence(tiny: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = EngineSettings(adapters_dir=tmp_path, cache_dir=tmp_path, port=port)
        with pytest.raises(PortTaken, match="CURBSIDE_ENGINE__PORT"):
            run_engine(settings, str(tiny))


def test_no_client_sees_a_line_end_within_an_event() -> None:
    event = app._sse({"token": {"text": "a\u2028b\u2029c\u0085d"}})
    (line,) = filter(None, event.splitlines())
    assert json.loads(line[5:])["token"]["text"] == "a\u2028b\u2029c\u0085d"


WAIT = 30  # seconds until a test gives up on something that happens at once
PROMPT = tuple(range(40, 50))


@dataclass
class Heard:
    """What an asker hears; `on_token` runs in the generation thread, before the next token is chosen."""

    on_token: Callable[[int], None] = lambda _: None
    tokens: list[tuple[int, float | None]] = field(default_factory=list)
    failure: str | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Failed):
            self.failure = event.reason
            self.ended.set()
            return
        assert isinstance(event, Step)
        self.tokens.append((event.token.id, event.token.logprob))
        self.on_token(len(self.tokens))
        if event.end is not None:
            self.ended.set()

    def answer(self) -> list[tuple[int, float | None]]:
        assert self.ended.wait(WAIT), "nothing was heard"
        assert self.failure is None, self.failure
        return self.tokens

    def reason(self) -> str:
        assert self.ended.wait(WAIT), "nothing was heard"
        assert self.failure is not None
        return self.failure


@contextmanager
def generating(model: Path, adapters: Path, **limits: int) -> Iterator[Generator]:
    models = Models(model, str(model), adapters, 4)
    generator = Generator(models, **{"max_concurrent": 8, "max_batch": 8, "threads": 1, **limits})
    generator.start()
    assert generator.ready.wait(WAIT)
    try:
        yield generator
    finally:
        generator.stop()


def asked(generator: Generator, version: str | None = None, tokens: int = 8) -> Heard:
    heard = Heard()
    generator.submit(Ask(PROMPT, tokens, Sampling(), version=version), heard)
    return heard


def test_who_comes_while_others_are_answered_delays_them_by_one_prefill(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    prefill = generation.prefill

    def noted(*given: Any, **more: Any) -> Any:
        order.append("prefill")
        return prefill(*given, **more)

    monkeypatch.setattr(generation, "prefill", noted)
    with generating(tiny, tmp_path) as generator:
        others: list[Heard] = []

        def on_token(number: int) -> None:
            order.append("token")
            if number == 3:
                others.extend(asked(generator, tokens=2) for _ in range(5))

        running = Heard(on_token)
        generator.submit(Ask(PROMPT, 30, Sampling()), running)
        assert len(running.answer()) == 30
        assert all(len(other.answer()) == 2 for other in others)
    assert order.count("prefill") == 6
    assert "prefill prefill" not in " ".join(order)


def test_who_left_while_waiting_takes_no_place(tiny: Path, tmp_path: Path) -> None:
    seen: list[Any] = []
    with generating(tiny, tmp_path, max_concurrent=4, max_batch=1) as generator:

        def on_token(number: int) -> None:
            if number != 2:
                return
            left = [generator.submit(Ask(PROMPT, 2, Sampling()), Heard()) for _ in range(3)]
            try:
                asked(generator)
            except Overloaded:
                seen.append("full")
            for ticket in left:
                ticket.cancel()
            seen.append(generator.waiting)
            seen.append(asked(generator))
            seen.append(generator.waiting)

        running = Heard(on_token)
        generator.submit(Ask(PROMPT, 4, Sampling()), running)
        running.answer()
        full, none, admitted, one = seen
        assert (full, none, one) == ("full", 0, 1)
        assert len(admitted.answer()) == 8


def test_a_batch_that_cannot_take_a_row_fails_and_the_next_request_is_answered(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory for [1, 2, 3]")

    with generating(tiny, tmp_path) as generator:
        whole = asked(generator).answer()
        with monkeypatch.context() as patch:
            patch.setattr(generation, "merge", no_memory)
            assert asked(generator).reason() == "RuntimeError"
        assert asked(generator).answer() == whole


def test_an_asker_who_cannot_be_told_harms_no_other(tiny: Path, tmp_path: Path) -> None:
    def gone(_: Event) -> None:
        raise RuntimeError("Event loop is closed")

    with generating(tiny, tmp_path) as generator:
        beside: list[Heard] = []

        def on_token(number: int) -> None:
            if number == 1:
                generator.submit(Ask(PROMPT, 8, Sampling()), gone)
                beside.append(asked(generator))

        running = Heard(on_token)
        generator.submit(Ask(PROMPT, 20, Sampling()), running)
        assert len(running.answer()) == 20
        assert len(beside[0].answer()) == 8
        assert generator.healthy


async def test_a_generation_thread_that_dies_is_not_healthy_and_leaves_nobody_waiting(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(EngineSettings(adapters_dir=tmp_path, cache_dir=tmp_path, threads=1), str(tiny))
    generator = engine.generator
    ended = threading.Event()
    generator.on_failure = ended.set
    generator.start()
    assert generator.ready.wait(WAIT)
    waiting: list[Heard] = []

    def broken(_: str | None) -> None:
        raise RuntimeError("something nobody foresaw")

    def on_token(number: int) -> None:
        if number == 2:
            waiting.extend(asked(generator) for _ in range(3))
            monkeypatch.setattr(generator, "_step", broken)

    running = Heard(on_token)
    transport = httpx2.ASGITransport(app=create_app(engine))
    async with httpx2.AsyncClient(transport=transport, base_url="http://engine") as http:
        assert (await http.get("/health")).status_code == 200
        generator.submit(Ask(PROMPT, 30, Sampling()), running)
        assert ended.wait(WAIT)
        assert all(heard.reason() for heard in (running, *waiting))
        assert isinstance(generator.failure, RuntimeError)
        assert (await http.get("/health")).status_code == 503
        assert (await http.post("/generate", json={"inputs": "Report:"})).status_code == 503
    with pytest.raises(Overloaded):
        asked(generator)


def altered(source: Path, target: Path, **config: Any) -> None:
    """A copy of an adapter whose configuration says otherwise."""
    shutil.copytree(source, target)
    path = target / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))


def test_an_adapter_that_does_not_fit_is_refused_and_the_base_answers_as_before(
    tiny: Path, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    good = write_adapter(tiny, tmp_path / "good", seed=5)
    altered(good, tmp_path / "other", base_model_name_or_path="some-org/clinical-8b")
    altered(good, tmp_path / "nameless", base_model_name_or_path=None)
    altered(good, tmp_path / "wide")
    weights = tmp_path / "wide" / "adapter_model.safetensors"
    tensors = load_file(weights)
    last = max(tensors)
    tensors[last] = torch.zeros(tensors[last].shape[0] + 3, *tensors[last].shape[1:])
    save_file(tensors, weights)
    altered(good, tmp_path / "cut")
    (tmp_path / "cut" / "adapter_model.safetensors").write_bytes(weights.read_bytes()[:100])
    # Its weights have rank 4: it passes every look, and PEFT fails when its layers are in the base.
    altered(good, tmp_path / "rank", r=8)
    reasons = {
        "other": "trained on the base model 'some-org/clinical-8b'",
        "nameless": "trained on the base model None",
        "wide": "does not fit the base model",
        "cut": "cannot be read",
        "rank": "RuntimeError",
    }
    with generating(tiny, tmp_path) as generator:
        base = asked(generator).answer()
        for _ in range(2):  # before the base has ever had an adapter, and after
            for version, reason in reasons.items():
                assert reason in asked(generator, version).reason()
                assert asked(generator).answer() == base, version
            tuned = asked(generator, "good").answer()
            assert tuned != base
            assert asked(generator).answer() == base
    with generating(tiny, tmp_path) as generator:
        assert asked(generator, "good").answer() == tuned


def test_a_running_answer_outlives_an_adapter_that_fails_beside_it(tiny: Path, tmp_path: Path) -> None:
    altered(write_adapter(tiny, tmp_path / "good", seed=5), tmp_path / "rank", r=8)
    with generating(tiny, tmp_path) as generator:
        alone = asked(generator, "good", 20).answer()
        failing: list[Heard] = []

        def on_token(number: int) -> None:
            if number == 5:
                failing.append(asked(generator, "rank"))

        running = Heard(on_token)
        generator.submit(Ask(PROMPT, 20, Sampling(), version="good"), running)
        assert running.answer() == alone
        assert "RuntimeError" in failing[0].reason()
