"""HL7 v2 messages, 2.1 to 2.9: ORU, OUL, REF, MDM, and orders that hold results.

data → normalising (messages) → charset → segments (python-hl7) → observations / documents → Found
"""

from curbside_ingestion.extraction.hl7v2.reports import extract

__all__ = ["extract"]
