"""British postcodes without a label: "PO1 3AX". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

# Royal Mail, Postcode Address File: the areas, and the letters that never stand behind the last figure.
_AREA: Final = (
    r"(?:A[BL]|B[ABDHLNRST]?|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]?|F[KY]|G[LUY]?|H[ADGPRSUX]|I[GMPV]|JE|"
    r"K[ATWY]|L[ADELNSU]?|M[EKL]?|N[EGNPRW]?|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]?|T[ADFNQRSW]|U[B]|"
    r"W[ACDFNRSV]?|YO|Z[E])"
)
_INWARD: Final = r"\d[ABD-HJLNP-UW-Z]{2}"


class UkPostcode(PatternRecogniser):
    """In capitals, with the space between its halves. An ordinal or a unit is no half: "L4 5TH"."""

    category = Category.LOCATION
    score = 0.8
    pattern = re.compile(
        rf"(?<![\w./-])(?P<phi>{_AREA}\d[A-Z\d]?[ ]{_INWARD})"
        r"(?<!\dTH)(?<!\dST)(?<!\dND)(?<!\dRD)(?<!\dHR)(?<!\dYR)(?<!\dLB)(?<!\dXL)(?![\w/-]|\.\d)"
    )
