"""The gateway over gRPC, by the same handlers. Its one notice carries the embedded model's, too.

A stream's initial metadata has the notices that HTTP's head has: the opinion that carries them comes last.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from curbside.contracts.v1 import inference_pb2 as pb
from curbside.contracts.v1 import inference_pb2_grpc as rpc
from curbside.identity.grpc import current_principal
from curbside.identity.principal import Scope
from curbside.phi import PhiText
from curbside.runtime.services import GrpcBinding
from curbside_inference.domain.model import ModelInUse
from curbside_inference.domain.opinion import Opinion
from curbside_inference.domain.question import Question, question_of
from curbside_inference.http import Give, Stream, answer_of, notices
from curbside_inference.settings import InferenceSettings

_SERVICE: Final = "/curbside.contracts.v1.Inference"


class InferenceServicer(rpc.InferenceServicer):
    def __init__(self, give: Give, stream: Stream, settings: InferenceSettings) -> None:
        self._give, self._stream, self._settings = give, stream, settings

    async def GiveOpinion(self, request: Any, context: Any) -> Any:  # noqa: N802
        return _opinion(await self._give(self._question(request), current_principal()))

    async def StreamOpinion(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        pieces: Any = self._stream(self._question(request), current_principal())
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, ModelInUse):
                    await context.send_initial_metadata(tuple(notices(piece).items()))
                elif isinstance(piece, PhiText):
                    yield pb.OpinionChunk(text=piece.reveal())
                elif isinstance(piece, str):
                    yield pb.OpinionChunk(text=piece)
                else:
                    yield pb.OpinionChunk(final=_opinion(piece))

    def _question(self, request: Any) -> Question:
        """Proto3 has no absent string: an empty one is no value."""
        return question_of(
            task=request.task,
            report=request.report or None,
            report_id=request.report_id or None,
            prior=request.prior or None,
            prior_report_id=request.prior_report_id or None,
            model=request.model or None,
            max_characters=self._settings.max_report_characters,
        )


def binding(give: Give, stream: Stream, settings: InferenceSettings) -> GrpcBinding:
    return GrpcBinding(
        rpc.add_InferenceServicer_to_server,
        InferenceServicer(give, stream, settings),
        {f"{_SERVICE}/GiveOpinion": Scope.OPINIONS_ASK, f"{_SERVICE}/StreamOpinion": Scope.OPINIONS_ASK},
    )


def _opinion(opinion: Opinion) -> Any:
    both = (opinion.notice, opinion.model.demonstration_notice)
    return pb.Opinion(
        opinion_id=opinion.opinion_id,
        task=opinion.task.value,
        answer=answer_of(opinion),
        evidence=[
            pb.Evidence(text=piece.text, start=piece.start, end=piece.end) for piece in opinion.evidence
        ],
        model_version=opinion.model.version,
        notice=" ".join(notice for notice in both if notice),
        shielded_spans=opinion.shielded_spans,
        truncated=not opinion.answer.whole,
        input=opinion.input.text,
    )
