"""What the gateway refuses, and how it says so. No message quotes a report, nor what an engine replied."""

from __future__ import annotations

from http import HTTPStatus

from curbside.errors import BadInput, CurbsideError, NotFound, TooLarge, Unavailable


class BadQuestion(BadInput):
    """The question is not one that can be asked."""

    code = "opinion.bad-question"


class UnknownTask(BadInput):
    code = "opinion.unknown-task"


class ReportTooLong(TooLarge):
    """More text than the gateway or the model takes. `limit` and `unit` are extension members."""

    code = "opinion.too-long"


class UnknownReport(NotFound):
    code = "opinion.unknown-report"


class DisplacedReport(NotFound):
    """The report was superseded or withdrawn. `state` and `displaced_by` are extension members."""

    code = "opinion.displaced-report"
    status = HTTPStatus.GONE
    title = "The report no longer holds"


class UnknownModel(NotFound):
    code = "opinion.unknown-model"


class Withheld(BadInput):
    """De-identification is unsure of the text, so no model sees it. `reason` is its code."""

    code = "opinion.withheld"
    title = "The text was not shown to the model"


class ShieldUnavailable(Unavailable):
    """De-identification does not answer, and without it no text goes to a model."""

    code = "opinion.shield-unavailable"


class TooManyQuestions(CurbsideError):
    code = "opinion.too-many"
    status = HTTPStatus.TOO_MANY_REQUESTS
    grpc_status = "RESOURCE_EXHAUSTED"
    title = "Too many questions at once"


class EngineUnavailable(Unavailable):
    code = "engine.unavailable"


class EngineOverloaded(Unavailable):
    code = "engine.overloaded"
    title = "The model is busy"


class EngineTimedOut(CurbsideError):
    code = "engine.timed-out"
    status = HTTPStatus.GATEWAY_TIMEOUT
    grpc_status = "DEADLINE_EXCEEDED"
    title = "The model did not answer in time"


class EngineFailed(CurbsideError):
    """The engine answered with an error of its own, or with half an answer."""

    code = "engine.failed"
    status = HTTPStatus.BAD_GATEWAY
    grpc_status = "INTERNAL"
    title = "The model failed to answer"


class BadAdapter(BadInput):
    """A promoted adapter cannot be unpacked safely, or is no adapter."""

    code = "model.bad-adapter"
