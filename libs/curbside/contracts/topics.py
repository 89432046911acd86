"""Topics and their keys, as data.

A topic's key decides its partition, so everything about one subject stays in order. The name is
`curbside.<noun>.<event>.v1`; its dead letters go to `<topic>.dlq`.

Partitions and retention are what Kafka is told (`KafkaBus.provision`); how many copies there are and how many
must be in sync belongs to a cluster, and stands in KafkaSettings. The embedded log keeps everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal

DEAD_LETTER_SUFFIX: Final = ".dlq"
# One: dead letters are few, and a replay then publishes them in the order in which they were given up.
DEAD_LETTER_PARTITIONS: Final = 1
# A dead letter waits for a person, and what made it one may be mended only in the next release.
DEAD_LETTER_RETENTION: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    producer: str  # the one service that writes it
    events: tuple[str, ...]  # message names of curbside.contracts.v1
    key: Literal["tenant:subject", "tenant"]
    # The most consumers that can share the topic. 12 is shared evenly by 2, 3, 4 and 6 of them.
    partitions: int = 12
    # Longer than a service can be out of order unnoticed; consumers keep what they learn in their databases.
    retention: timedelta = timedelta(days=90)

    @property
    def dead_letters(self) -> str:
        return self.name + DEAD_LETTER_SUFFIX


# Events of a tenant's life with its model: few, keyed by tenant alone, and worth their history.
_FEW: Final = 3
_YEARS: Final = timedelta(days=3 * 365)

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
CONSENTS_CHANGED: Final = Topic(
    "curbside.consents.changed.v1", "ingestion", ("ConsentChanged",), "tenant:subject", retention=_YEARS
)
DATASETS_PUBLISHED: Final = Topic(
    "curbside.datasets.published.v1", "datasets", ("DatasetPublished",), "tenant", _FEW, _YEARS
)
RUNS_FINISHED: Final = Topic(
    "curbside.runs.finished.v1", "training", ("RunFinished",), "tenant", _FEW, _YEARS
)
MODELS_PROMOTED: Final = Topic(
    "curbside.models.promoted.v1", "training", ("ModelPromoted",), "tenant", _FEW, _YEARS
)
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
            CONSENTS_CHANGED,
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
