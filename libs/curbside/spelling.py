"""The one spelling in which texts and names are compared: Unicode's form C, without widthless characters, and
with the one slash, hyphen and space that are typed."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Characters without a width: they split a name for whoever compares it, and for nobody who reads it.
# Soft hyphen, zero-width space and joiners, word joiner and the byte order mark that preceded it.
WIDTHLESS: Final = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
# What word processors and printed forms put for a slash (U+2044, U+2215, U+FF0F), a hyphen (U+2010, U+2011)
# and a space that breaks no line (U+00A0, U+2007, U+202F).
_TYPED: Final = str.maketrans(
    {"\u2044": "/", "\u2215": "/", "\uff0f": "/", "\u2010": "-", "\u2011": "-"}
    | dict.fromkeys("\u00a0\u2007\u202f", " ")
)
# Whether a text holds one of these, or of the widthless.
ODD: Final = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff\u2044\u2215\uff0f\u2010\u2011\u00a0\u2007\u202f]")


def composed(text: str) -> str:
    """`text` in Unicode's form C, without widthless characters, with typed slashes, hyphens and spaces."""
    return unicodedata.normalize("NFC", WIDTHLESS.sub("", text)).translate(_TYPED)
