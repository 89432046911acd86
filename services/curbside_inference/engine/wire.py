"""TGI's requests and replies. Where its OpenAPI file and its code differ, its code is followed.

Source: huggingface/text-generation-inference 3.3.7, router/src/{lib,validation,server,chat}.rs.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from curbside_inference.engine.generation import Ask, Failed, Finished, FinishReason, Ticket, Token
from curbside_inference.engine.models import Models
from curbside_inference.engine.sampling import Sampling

MAX_STOP_SEQUENCES: Final = 4
MAX_TOP_N_TOKENS: Final = 5


class Refused(Exception):
    """A request that is answered with an error: its HTTP status, TGI's `error_type` and a message."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error_type, self.message = status, error_type, message

    def body(self) -> dict[str, str]:
        return {"error": self.message, "error_type": self.error_type}


def invalid(message: str) -> Refused:
    return Refused(422, "validation", message)


class Wire(BaseModel):
    # TGI ignores what it does not know, and so do its clients' newer fields pass.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Parameters(Wire):
    """Absent fields are None; an absent `do_sample` is false, but see `GenerateRequest`."""

    best_of: int | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    do_sample: bool = False
    max_new_tokens: int | None = Field(default=None, ge=0)
    return_full_text: bool | None = None
    stop: list[str] = []
    truncate: int | None = Field(default=None, ge=0)
    watermark: bool = False
    details: bool = False
    decoder_input_details: bool = False
    seed: int | None = Field(default=None, ge=0)
    top_n_tokens: int | None = Field(default=None, ge=0)
    grammar: Any = None
    adapter_id: str | None = None


class GenerateRequest(Wire):
    inputs: str
    # TGI's default object samples, whereas an object without `do_sample` does not (lib.rs).
    parameters: Parameters = Parameters(do_sample=True)
    stream: bool = False  # read by `POST /` and `/invocations` only


class VertexRequest(Wire):
    instances: list[GenerateRequest]


class ChatMessage(Wire):
    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None


class StreamOptions(Wire):
    include_usage: bool = False


class SharedOptions(Wire):
    model: str = "tgi"
    max_tokens: int | None = Field(default=None, ge=0)
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = Field(default=None, ge=0)
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None

    def parameters(self, **more: Any) -> Parameters:
        """As TGI translates them: sampling, unless the temperature is exactly zero."""
        greedy = self.temperature == 0.0
        return Parameters(
            max_new_tokens=self.max_tokens,
            do_sample=not greedy,
            temperature=None if greedy else self.temperature,
            top_p=self.top_p,
            frequency_penalty=self.frequency_penalty,
            seed=self.seed,
            stop=[self.stop] if isinstance(self.stop, str) else self.stop or [],
            adapter_id=None if self.model == "tgi" else self.model,
            **more,
        )


class ChatRequest(SharedOptions):
    messages: list[ChatMessage]
    n: int | None = None
    logprobs: bool = False
    top_logprobs: int | None = Field(default=None, ge=0)
    tools: list[Any] | None = None
    response_format: Any = None


class CompletionRequest(SharedOptions):
    prompt: str | list[str]


@dataclass(frozen=True, slots=True)
class Limits:
    max_total_tokens: int

    @property
    def max_input_tokens(self) -> int:
        return self.max_total_tokens - 1


def render_chat(messages: list[ChatMessage], models: Models) -> str:
    """The prompt of a chat. Raises Refused where the template does."""
    plain = [{"role": m.role, "content": _plain(m.content)} for m in messages]
    if not plain:
        raise Refused(422, "template_error", "Template error: messages cannot be empty")
    try:
        prompt: str = models.tokenizer.apply_chat_template(plain, add_generation_prompt=True, tokenize=False)
    except Exception as error:
        raise Refused(422, "template_error", f"Template error: {type(error).__name__}") from None
    return prompt


def _plain(content: str | list[dict[str, Any]] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if any(part.get("type") != "text" for part in content):
        raise invalid("only text content is supported")
    return "".join(str(part.get("text", "")) for part in content)


def to_ask(inputs: str, p: Parameters, models: Models, limits: Limits, *, templated: bool = False) -> Ask:
    """Validate as router/src/validation.rs does. Raises Refused with its message."""
    if p.best_of not in (None, 1):
        raise invalid("`best_of` != 1 is not allowed for this endpoint")
    if p.temperature is not None and p.temperature <= 0.0:
        raise invalid("`temperature` must be strictly positive")
    if p.repetition_penalty is not None and p.repetition_penalty <= 0.0:
        raise invalid("`repetition_penalty` must be strictly positive")
    if p.frequency_penalty is not None and not -2.0 <= p.frequency_penalty <= 2.0:
        raise invalid("`frequency_penalty` must be >= -2.0 and <= 2.0")
    if p.top_p is not None and not 0.0 < p.top_p < 1.0:
        raise invalid("`top_p` must be > 0.0 and < 1.0")
    if p.typical_p is not None and not 0.0 < p.typical_p < 1.0:
        raise invalid("`typical_p` must be > 0.0 and < 1.0")
    if p.top_k is not None and p.top_k <= 0:
        raise invalid("`top_k` must be strictly positive")
    if p.max_new_tokens == 0:
        raise invalid("`max_new_tokens` must be strictly positive")
    if len(p.stop) > MAX_STOP_SEQUENCES:
        raise invalid(f"`stop` supports up to {MAX_STOP_SEQUENCES} stop sequences. Given: {len(p.stop)}")
    if (p.top_n_tokens or 0) > MAX_TOP_N_TOKENS:
        raise invalid(f"`top_n_tokens` must be >= 0 and <= {MAX_TOP_N_TOKENS}. Given: {p.top_n_tokens}")
    if p.grammar is not None:
        raise invalid("grammar is not supported")
    if p.watermark:
        raise invalid("`watermark` is not supported")
    if not inputs:
        raise invalid("`inputs` cannot be empty")
    if p.truncate is not None and not 0 < p.truncate <= limits.max_input_tokens:
        raise invalid(
            f"`truncate` must be strictly positive and less than {limits.max_input_tokens}. "
            f"Given: {p.truncate}"
        )
    if p.adapter_id is not None and not models.knows(p.adapter_id):
        raise invalid(f"adapter {p.adapter_id!r} is not known")

    tokens: list[int] = models.tokenizer(inputs, add_special_tokens=not templated)["input_ids"]
    if p.truncate is not None:
        tokens = tokens[-p.truncate :]
    room = limits.max_total_tokens - len(tokens)
    wanted = max(0, room) if p.max_new_tokens is None else p.max_new_tokens
    if wanted > room:
        raise invalid(
            f"`inputs` tokens + `max_new_tokens` must be <= {limits.max_total_tokens}. "
            f"Given: {len(tokens)} `inputs` tokens and {wanted} `max_new_tokens`"
        )
    if len(tokens) > limits.max_input_tokens:
        raise invalid(f"`inputs` must have less than {limits.max_input_tokens} tokens. Given: {len(tokens)}")

    # A temperature or a filter samples even where `do_sample` is false (server: NextTokenChooser).
    sampled = p.do_sample or any(v is not None for v in (p.temperature, p.top_k, p.top_p, p.typical_p))
    seed = (secrets.randbits(63) if p.seed is None else p.seed) if sampled else None
    version = None if p.adapter_id is None or models.is_base(p.adapter_id) else p.adapter_id
    return Ask(
        tokens=tuple(tokens),
        max_new_tokens=wanted,
        sampling=Sampling(
            seed=seed,
            temperature=p.temperature or 1.0,
            top_k=p.top_k or 0,
            top_p=p.top_p or 1.0,
            typical_p=p.typical_p or 1.0,
            repetition_penalty=p.repetition_penalty or 1.0,
            frequency_penalty=p.frequency_penalty or 0.0,
            top_n_tokens=p.top_n_tokens or 0,
        ),
        stop=tuple(p.stop),
        version=version,
        prompt_logprobs=p.decoder_input_details,
    )


def token_json(token: Token) -> dict[str, Any]:
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def generation_json(
    inputs: str, p: Parameters, ticket: Ticket, tokens: list[Token], end: Finished
) -> dict[str, Any]:
    """What `/generate` replies."""
    body: dict[str, Any] = {"generated_text": (inputs if p.return_full_text else "") + end.text}
    if p.details or p.decoder_input_details:
        details: dict[str, Any] = {
            "finish_reason": end.reason.value,
            "generated_tokens": end.tokens,
            "seed": ticket.ask.sampling.seed,
            "prefill": [
                {"id": token.id, "text": token.text, "logprob": token.logprob} for token in ticket.prompt
            ],
            "tokens": [token_json(token) for token in tokens],
        }
        if p.top_n_tokens:
            details["top_tokens"] = [[token_json(top) for top in token.top] for token in tokens]
        body["details"] = details
    return body


def stream_json(
    inputs: str, p: Parameters, ticket: Ticket, index: int, token: Token, end: Finished | None
) -> dict[str, Any]:
    """One event of `/generate_stream`, numbered from 1; `end` goes with the last token."""
    event: dict[str, Any] = {"index": index, "token": token_json(token)}
    if p.top_n_tokens:
        event["top_tokens"] = [token_json(top) for top in token.top]
    event["generated_text"], event["details"] = None, None
    if end is not None:
        event["generated_text"] = (inputs if p.return_full_text else "") + end.text
        event["details"] = {
            "finish_reason": end.reason.value,
            "generated_tokens": end.tokens,
            "seed": ticket.ask.sampling.seed,
            "input_length": len(ticket.ask.tokens),
        }
    return event


def openai_reason(reason: FinishReason) -> str:
    """TGI's `format(use_stop=true)`: only the end token becomes 'stop'."""
    return "stop" if reason is FinishReason.EOS else reason.value


def logprobs_json(tokens: list[Token]) -> dict[str, Any]:
    return {
        "content": [
            {
                "token": token.text,
                "logprob": token.logprob,
                "top_logprobs": [{"token": top.text, "logprob": top.logprob} for top in token.top],
            }
            for token in tokens
        ]
    }


def usage_json(ticket: Ticket, end: Finished) -> dict[str, int]:
    prompt = len(ticket.ask.tokens)
    return {"prompt_tokens": prompt, "completion_tokens": end.tokens, "total_tokens": prompt + end.tokens}


def failed(event: Failed) -> Refused:
    return Refused(424, "generation", f"Request failed during generation: {event.reason}")


def overloaded() -> Refused:
    return Refused(429, "overloaded", "Model is overloaded")
