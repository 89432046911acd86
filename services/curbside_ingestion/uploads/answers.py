"""What is answered of an upload."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on

from curbside_ingestion.answers import BatchId, Moment
from curbside_ingestion.domain.uploads import UploadState

UploadId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=["0192f3c4a0b1c2d3e4f5061728394a5b"])]


class UploadShown(TypedDict):
    upload_id: UploadId
    state: UploadState
    length: Annotated[int, Field(ge=1, description="bytes of the archive")]
    offset: Annotated[int, Field(ge=0, description="bytes of it that are durable")]
    expires_at: Annotated[Moment | None, Field(description="null where all bytes are here")]
    batch_id: Annotated[
        BatchId | None, Field(description="what its reports go into; null until all bytes are here")
    ]
