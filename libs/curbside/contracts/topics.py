"""Topics and their keys, as data.

A topic's key decides its partition, so everything about one subject stays in order. The name is
`curbside.<noun>.<event>.v1`; its dead letters go to `<topic>.dlq`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

DEAD_LETTER_SUFFIX: Final = ".dlq"


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    producer: str  # the one service that writes it
    events: tuple[str, ...]  # message names of curbside.contracts.v1
    key: Literal["tenant:subject", "tenant"]

    @property
    def dead_letters(self) -> str:
        return self.name + DEAD_LETTER_SUFFIX


REPORTS_RECEIVED: Final = Topic(
    "curbside.reports.received.v1", "ingestion", ("ReportReceived",), "tenant:subject"
)
REPORTS_DEIDENTIFIED: Final = Topic(
    "curbside.reports.deidentified.v1", "deidentification", ("ReportDeidentified",), "tenant:subject"
)
REPORTS_QUARANTINED: Final = Topic(
    "curbside.reports.quarantined.v1",
    "deidentification",
    ("ReportQuarantined", "ReportRejected"),
    "tenant:subject",
)
# The subject is the displaced report's own: an amendment may have corrected the patient.
REPORTS_DISPLACED: Final = Topic(
    "curbside.reports.displaced.v1", "ingestion", ("ReportDisplaced",), "tenant:subject"
)
DATASETS_PUBLISHED: Final = Topic(
    "curbside.datasets.published.v1", "datasets", ("DatasetPublished",), "tenant"
)
RUNS_FINISHED: Final = Topic("curbside.runs.finished.v1", "training", ("RunFinished",), "tenant")
MODELS_PROMOTED: Final = Topic("curbside.models.promoted.v1", "training", ("ModelPromoted",), "tenant")
OPINIONS_GIVEN: Final = Topic("curbside.opinions.given.v1", "inference", ("OpinionGiven",), "tenant:subject")
FEEDBACK_GIVEN: Final = Topic("curbside.feedback.given.v1", "inference", ("FeedbackGiven",), "tenant:subject")

TOPICS: Final = MappingProxyType(
    {
        topic.name: topic
        for topic in (
            REPORTS_RECEIVED,
            REPORTS_DEIDENTIFIED,
            REPORTS_QUARANTINED,
            REPORTS_DISPLACED,
            DATASETS_PUBLISHED,
            RUNS_FINISHED,
            MODELS_PROMOTED,
            OPINIONS_GIVEN,
            FEEDBACK_GIVEN,
        )
    }
)

TOPIC_OF_EVENT: Final = MappingProxyType(
    {event: topic for topic in TOPICS.values() for event in topic.events}
)


def key_of(topic: Topic, tenant: str, subject: str) -> str:
    return f"{tenant}:{subject}" if topic.key == "tenant:subject" else tenant
