"""The one spelling in which texts and names are compared: Unicode's form C, without widthless characters."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Characters without a width: they split a name for whoever compares it, and for nobody who reads it.
# Soft hyphen, zero-width space and joiners, word joiner and the byte order mark that preceded it.
WIDTHLESS: Final = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")


def composed(text: str) -> str:
    """`text` in Unicode's form C, without widthless characters."""
    return unicodedata.normalize("NFC", WIDTHLESS.sub("", text))
