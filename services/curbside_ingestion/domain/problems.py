"""What can be wrong with a report. Messages name the field and the rule, never a value: it is PHI."""

from __future__ import annotations

from curbside.errors import BadInput, Conflict, NotFound, TooLarge, UnsupportedFormat


class EmptyReport(BadInput):
    code = "report.empty"


class OversizedReport(TooLarge):
    code = "report.too-large"


class TooManyReports(TooLarge):
    code = "report.too-many"


class BinaryReport(UnsupportedFormat):
    code = "report.binary"


class UnsupportedType(UnsupportedFormat):
    code = "report.unsupported-type"


class WrongEncoding(BadInput):
    code = "report.wrong-encoding"


class TruncatedReport(BadInput):
    code = "report.truncated"


class DigestMismatch(BadInput):
    code = "report.digest-mismatch"


class BadShape(BadInput):
    """JSON or CSV that is not built as a report, or as rows of reports."""

    code = "report.shape"


class MissingColumns(BadShape):
    code = "report.missing-columns"


class BadColumns(BadInput):
    """What is said of a table's columns is none, or not of this table."""

    code = "report.bad-columns"


class BadField(BadInput):
    code = "report.bad-field"


class NoGoodRow(BadInput):
    """A batch none of whose rows could be accepted, for more than one reason."""

    code = "report.no-good-row"


class UnreadableFile(BadInput):
    code = "report.unreadable-file"


class DuplicateReport(Conflict):
    """The report is already there; `report_id` and `state` say which and how far it came."""

    code = "report.duplicate"


class ChangedReport(Conflict):
    """Another report came under this external id, and nothing says that this one replaces it."""

    code = "report.changed"


class UnknownReport(NotFound):
    code = "report.unknown"
