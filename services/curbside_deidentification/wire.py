"""How a result crosses to gRPC and back. With contracts.codec, the only place where its text is revealed."""

from __future__ import annotations

from typing import Final

from curbside.contracts.codec import PhiDocument, from_message, to_message
from curbside.contracts.v1 import deidentification_pb2 as pb
from curbside.phi import Category, PhiText
from curbside_deidentification.domain.replacement import keeps_mapping
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pipeline import Reason, Result

# 25 MB, the largest body intake accepts: a document that got in must reach a worker to be refused there.
MESSAGE_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 25_000_000),
    ("grpc.max_send_message_length", 25_000_000),
)
# Metadata that a worker sends when it begins a document: what ends after it ended while at that document.
BEGUN: Final = "curbside-begun"


def to_request(document: PhiDocument, *, tenant: str, subject: str) -> pb.DeidentifyRequest:
    return pb.DeidentifyRequest(document=to_message(document), tenant=tenant, subject=subject)


def document_of(request: pb.DeidentifyRequest) -> PhiDocument:
    return from_message(request.document)


def to_response(result: Result) -> pb.DeidentifyResponse:
    return pb.DeidentifyResponse(
        text=result.replaced.reveal(),
        spans=[
            pb.Span(
                start=span.start,
                end=span.end,
                category=span.category.value,
                score=span.score,
                recogniser=span.recogniser,
            )
            for span in result.spans
        ],
        risk=result.risk,
        quarantined=result.quarantined,
        reason=result.reason or "",
        policy=result.policy,
        restorable=bool(result.spans) and keeps_mapping(result.policy),
    )


def from_response(response: pb.DeidentifyResponse) -> Result:
    return Result(
        replaced=PhiText(response.text),
        spans=tuple(
            Span(span.start, span.end, Category(span.category), span.score, span.recogniser)
            for span in response.spans
        ),
        risk=response.risk,
        reason=Reason(response.reason) if response.quarantined else None,
        policy=response.policy,
    )
