"""Signed-in sessions: the token travels in a sealed cookie, which no server keeps and any replica reads."""

from __future__ import annotations

import base64
import binascii
import json
import time
from datetime import timedelta
from typing import Final

from cryptography.exceptions import InvalidTag

from curbside.storage.keys import KeyRing, seal, unseal

COOKIE: Final = "curbside_session"
_ASSOCIATED: Final = b"curbside-workbench-session:1"


class Sessions:
    """Seals tokens into cookie values (AES-256-GCM) that end after `lifetime`."""

    def __init__(self, ring: KeyRing, lifetime: timedelta) -> None:
        # Derived from the tokens' own key, which every host holds.
        self._key = bytes.fromhex(ring.hmac_hex("token", b"workbench-session"))
        self.lifetime = lifetime

    def seal(self, token: str) -> str:
        content = json.dumps({"token": token, "ends": time.time() + self.lifetime.total_seconds()})
        return base64.urlsafe_b64encode(seal(self._key, content.encode(), _ASSOCIATED)).decode()

    def token(self, cookie: str | None) -> str | None:
        """The token in `cookie`, or None where there is none, it was changed, or it has ended."""
        try:
            sealed = base64.urlsafe_b64decode((cookie or "").encode())
            content = json.loads(unseal(self._key, sealed, _ASSOCIATED))
        except (InvalidTag, ValueError, binascii.Error):
            return None
        return str(content["token"]) if content["ends"] > time.time() else None
