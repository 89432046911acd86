"""The engine, by text-generation-inference's wire: whole answers through huggingface_hub, streams in the raw.

TGI, vLLM and the embedded engine are asked alike: `POST /v1/chat/completions` with `model=<version>`. What an
engine says in an error is never repeated, since engines quote their input; only its kind and its limits are.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import aiohttp

from curbside.contracts.tasks import Message
from curbside.errors import CurbsideError, MissingExtra
from curbside_inference.domain.opinion import Answer
from curbside_inference.domain.problems import (
    EngineFailed,
    EngineOverloaded,
    EngineTimedOut,
    EngineUnavailable,
    ReportTooLong,
    UnknownModel,
)

# What huggingface_hub sends where no key is set: with None it would send this machine's Hugging Face token.
_NO_KEY: Final = "none"
_RETRY_SECONDS: Final = 5
# A stream's line holds one token and its logprobs; a megabyte is no line of ours.
_LINE_BYTES: Final = 1_000_000
# TGI: "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 96 …", "`inputs`
# must have less than 4095 tokens. Given: 5000"; vLLM: "This model's maximum context length is 4096 tokens. …"
_TOO_LONG: Final = re.compile(
    r"must be <= (\d+)\. Given: (\d+)|must have less than (\d+) tokens\. Given: (\d+)"
    r"|maximum context length is (\d+) tokens"
)


class EngineClient:
    """One engine at `url`. Sessions open with the first call, in the loop that makes it."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None,
        connect_timeout: timedelta,
        idle_timeout: timedelta,
        timeout: timedelta,
        check_timeout: timedelta,
    ) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._connect, self._idle = connect_timeout.total_seconds(), idle_timeout.total_seconds()
        self._total, self._check = timeout.total_seconds(), check_timeout.total_seconds()
        self._typed: Any = None
        self._raw: aiohttp.ClientSession | None = None

    async def complete(self, model: str, messages: Sequence[Message], *, max_tokens: int) -> Answer:
        """The whole answer, greedily decoded. Raises the engine's error as one of ours."""
        import httpx2
        from huggingface_hub import errors

        try:
            async with asyncio.timeout(self._total):
                reply = await self._typed_client().chat_completion(
                    list(messages), model=model, max_tokens=max_tokens, temperature=0.0
                )
        except (TimeoutError, errors.InferenceTimeoutError):
            raise self._timed_out() from None
        except errors.HfHubHTTPError as error:
            raise self._refusal(error.response.status_code, _decoded(error.response.content)) from None
        except httpx2.TransportError:
            raise self._unreachable() from None
        try:
            choice = reply.choices[0]
            return Answer((choice.message.content or "").strip(), choice.finish_reason != "length")
        except (AttributeError, IndexError, TypeError):
            raise self._broken() from None

    async def stream(
        self, model: str, messages: Sequence[Message], *, max_tokens: int
    ) -> AsyncIterator[str | Answer]:
        """Pieces of the answer as they come, then the whole. Closing the iterator closes the request.

        Raises the engine's error as one of ours, before the first piece or between two.
        """
        body = {
            "model": model,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "stream": True,
        }
        pieces: list[str] = []
        finished: str | None = None
        try:
            async with (
                # aiohttp's timeout, not asyncio's: an iterator's steps may run in different tasks.
                self._session().post(f"{self._url}/v1/chat/completions", json=body) as reply,
            ):
                if reply.status != 200:
                    raise self._refusal(reply.status, _decoded(await reply.content.read(_LINE_BYTES)))
                async for event in _events(reply):
                    piece, reason = self._read(event)
                    finished = reason or finished
                    if piece:
                        pieces.append(piece)
                        yield piece
        except TimeoutError:
            raise self._timed_out() from None
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError):
            raise self._unreachable() from None
        except (aiohttp.ClientError, ValueError):
            raise self._broken() from None
        if finished is None:
            raise self._broken()
        yield Answer("".join(pieces).strip(), finished != "length")

    async def check(self) -> None:
        """Raise EngineUnavailable unless the engine says that its model is loaded."""
        try:
            async with asyncio.timeout(self._check), self._session().get(f"{self._url}/health") as reply:
                if reply.status != 200:
                    raise self._loading()
        except (TimeoutError, aiohttp.ClientError):
            raise self._unreachable() from None

    async def close(self) -> None:
        if self._typed is not None:
            await self._typed.close()
        if self._raw is not None:
            await self._raw.close()
        self._typed = self._raw = None

    def _typed_client(self) -> Any:
        if self._typed is None:
            try:
                import httpx2
                from huggingface_hub import AsyncInferenceClient, set_async_client_factory
            except ImportError as error:
                raise MissingExtra(error.name or "huggingface_hub", "inference") from None
            timeout: Any = httpx2.Timeout(self._total, connect=self._connect)
            # Without the hub's own hook, which refuses every call where HF_HUB_OFFLINE is set, without
            # proxies and redirects. The gateway's `max_concurrent` is the bound.
            set_async_client_factory(
                lambda: httpx2.AsyncClient(
                    trust_env=False, limits=httpx2.Limits(max_connections=None), timeout=timeout
                )
            )
            self._typed = AsyncInferenceClient(
                base_url=self._url, api_key=self._api_key or _NO_KEY, timeout=timeout
            )
        return self._typed

    def _session(self) -> aiohttp.ClientSession:
        if self._raw is None:
            self._raw = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=self._total, sock_connect=self._connect, sock_read=self._idle
                ),
                headers={"authorization": f"Bearer {self._api_key}"} if self._api_key else {},
                connector=aiohttp.TCPConnector(limit=0),
                read_bufsize=_LINE_BYTES,
                trust_env=False,
            )
        return self._raw

    def _read(self, event: Mapping[str, Any]) -> tuple[str, str | None]:
        """Text and finish reason of one event. An error in the stream is an event on a 200."""
        if "error" in event:
            error = event["error"]
            status = {"overloaded": 429, "validation": 422}.get(str(event.get("error_type")), 500)
            code = error.get("code") if isinstance(error, dict) else None
            raise self._refusal(code if isinstance(code, int) else status, event)
        choices = event.get("choices") or []
        if not choices:  # the last chunk, with `usage`
            return "", None
        choice = choices[0]
        return (choice.get("delta") or {}).get("content") or "", choice.get("finish_reason")

    def _refusal(self, status: int, body: Mapping[str, Any]) -> CurbsideError:
        """An engine's HTTP error as one of ours; `body` is read for kind and limits alone."""
        error = body.get("error")
        message = str(
            error.get("message", "") if isinstance(error, dict) else error or body.get("message", "")
        )
        kind = str(body.get("error_type") or (error.get("type") if isinstance(error, dict) else ""))
        too_long = _TOO_LONG.search(message)
        if too_long:
            limit, *given = (int(number) for number in too_long.groups() if number)
            return ReportTooLong(
                f"the model takes at most {limit} tokens, question and answer together"
                + (f", and the report makes {given[0]}" if given else ""),
                field="report",
                mend="Send the part of the report that the question is about.",
                limit=limit,
                unit="tokens",
            )
        if status == 429 or kind == "overloaded":
            return EngineOverloaded(
                "the engine answers as many questions as it can already",
                mend=f"Ask again in {_RETRY_SECONDS} seconds.",
                retry_after=_RETRY_SECONDS,
            )
        if status == 404 or kind in {"model_not_found", "NotFoundError"} or "adapter" in message.casefold():
            return UnknownModel(
                "the engine has no model of that name",
                field="model",
                mend="Leave `model` out, or promote that version, or let the engine find it in "
                "CURBSIDE_INFERENCE__ADAPTERS_DIR.",
            )
        if status in (401, 403):
            return EngineUnavailable(
                "the engine refuses our key",
                mend="Set CURBSIDE_INFERENCE__ENGINE_API_KEY to the engine's key.",
            )
        if status == 503:
            return self._loading()
        if status == 504:
            return self._timed_out()
        return EngineFailed(f"the engine answered with status {status}", mend="See the engine's log.")

    def _unreachable(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"the engine at {self._url} does not answer",
            mend="Start it (curbside serve engine), or set CURBSIDE_INFERENCE__ENGINE_URL.",
            retry_after=_RETRY_SECONDS,
        )

    def _loading(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"the engine at {self._url} is not ready: its model is still loading",
            mend="Wait until its /health answers 200.",
            retry_after=_RETRY_SECONDS,
        )

    def _timed_out(self) -> EngineTimedOut:
        return EngineTimedOut(
            "the engine did not finish in time",
            mend="Ask again, ask about a shorter text, or raise CURBSIDE_INFERENCE__ENGINE_TIMEOUT.",
        )

    def _broken(self) -> EngineFailed:
        return EngineFailed(
            "the engine ended before its answer was whole", mend="Ask again; see the engine's log."
        )


async def _events(reply: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each server-sent event up to `[DONE]`; TGI writes `data:` with and without a space."""
    async for line in reply.content:
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            return
        event = json.loads(data)
        if not isinstance(event, dict):
            raise ValueError("an event is an object")
        yield event


def _decoded(body: bytes) -> Mapping[str, Any]:
    """The object in an error's body, or nothing where there is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
