"""The shield: every pasted text is de-identified over gRPC before a model sees it, or no model sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from curbside.contracts.codec import PhiDocument, to_message
from curbside.contracts.v1 import deidentification_pb2 as pb
from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.phi import PhiText, SafeText
from curbside_inference.domain.problems import ShieldUnavailable, Withheld

# 25 MB, as deidentification's own server takes; a restarted one is found within a second.
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 25_000_000),
    ("grpc.max_send_message_length", 25_000_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
_SERVICE: Final = pb.DESCRIPTOR.services_by_name["Deidentification"].full_name
_MENDS: Final = {
    "deid.language": "Send an English report; other languages are not read.",
    "deid.too-long": "Send a shorter part of the report.",
    "deid.risk": "Take out names and numbers yourself, or ask about the stored report once it is released.",
}


@dataclass(frozen=True, slots=True)
class Shielded:
    text: SafeText
    spans: int
    restorable: bool = False  # what was replaced can be turned back in an answer


class Shield:
    """Calls deidentification at `target` with this installation's service token, read anew for each call."""

    def __init__(
        self, target: str, *, token_path: Path, timeout: timedelta, check_timeout: timedelta
    ) -> None:
        self._target = target
        self._token_path = token_path
        self._timeout = timeout.total_seconds()
        self._check = check_timeout.total_seconds()
        self._channel: aio.Channel | None = None

    async def deidentify(self, text: PhiText, *, field: str, tenant: str, subject: str) -> Shielded:
        """`text` without what identifies; the same subject gets the same surrogates.

        Raises Withheld naming `field` where deidentification is unsure, and ShieldUnavailable where it does
        not answer: it fails closed.
        """
        request = pb.DeidentifyRequest(document=to_message(PhiDocument(text)), tenant=tenant, subject=subject)
        response = await self._call(
            lambda channel: rpc.DeidentificationStub(channel).Deidentify(
                request, timeout=self._timeout, metadata=(("authorization", f"Bearer {self._token()}"),)
            )
        )
        if response.quarantined:
            raise Withheld(
                "de-identification is unsure of this text, so no model sees it",
                field=field,
                mend=_MENDS.get(response.reason, "Ask about the stored report once a reviewer released it."),
                reason=response.reason,
            )
        safe = SafeText(response.text, rules=(f"deid:{response.policy or 'unnamed'}",))
        return Shielded(safe, len(response.spans), response.restorable)

    async def restore(self, text: str, *, opinion_id: str) -> PhiText:
        """`text` with the surrogates of what was pasted for the opinion turned back: for its asker alone.

        Raises ShieldUnavailable: a made-up name or a moved date in an answer would be taken for a true one.
        """
        request = pb.RestoreAnswerRequest(text=text, opinion_id=opinion_id)
        response = await self._call(
            lambda channel: rpc.DeidentificationStub(channel).RestoreAnswer(
                request, timeout=self._timeout, metadata=(("authorization", f"Bearer {self._token()}"),)
            )
        )
        return PhiText(response.text)

    async def check(self) -> None:
        """Raise ShieldUnavailable unless deidentification's gRPC server says SERVING.

        It is asked by its name: where both run in one process, the whole process waits for this very check.
        """

        def ask(channel: aio.Channel) -> Any:
            stub: Any = health_pb2_grpc.HealthStub(channel)  # its stubs do not know its methods
            return stub.Check(health_pb2.HealthCheckRequest(service=_SERVICE), timeout=self._check)

        answer = await self._call(ask)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise self._unavailable()

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()
            self._channel = None

    async def _call(self, call: Callable[[aio.Channel], Any]) -> Any:
        if self._channel is None:
            self._channel = aio.insecure_channel(self._target, options=_OPTIONS)
        try:
            return await call(self._channel)
        except aio.AioRpcError as error:
            status = error.code()  # its details are the other side's, and may quote the request
        if status in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            raise ShieldUnavailable(
                "deidentification refuses our service token, so no text goes to a model",
                mend="Renew the token that CURBSIDE_RUNTIME__SERVICE_TOKEN_FILE names.",
            )
        if status is grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise ShieldUnavailable(
                "deidentification has more texts than it can take at once",
                mend="Ask again shortly.",
                retry_after=2,
            )
        raise self._unavailable()

    def _unavailable(self) -> ShieldUnavailable:
        return ShieldUnavailable(
            f"deidentification at {self._target} does not answer, and without it no text goes to a model",
            mend="Start it (curbside serve deidentification), or set "
            "CURBSIDE_INFERENCE__DEIDENTIFICATION_TARGET.",
            retry_after=5,
        )

    def _token(self) -> str:
        try:
            return self._token_path.read_text().strip()
        except OSError:
            raise ShieldUnavailable(
                f"the service token is missing at {str(self._token_path)!r}",
                mend="Run `curbside up` once, or set CURBSIDE_RUNTIME__SERVICE_TOKEN_FILE.",
            ) from None
