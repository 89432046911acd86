"""Internet addresses. 45 CFR 164.514(b)(2)(i)(O)."""

from __future__ import annotations

import ipaddress
import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class IpAddress(PatternRecogniser):
    """IP addresses, (O). RFC 791, RFC 4291."""

    category = Category.IP
    pattern = re.compile(
        r"(?<![\w.:])(?P<phi>(?P<v4>\d{1,3}(?:\.\d{1,3}){3})(?:[:/]\d{1,5})?|"
        r"(?P<v6>(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?:/\d{1,3})?)(?![\w:]|\.\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        try:
            address = ipaddress.ip_address(match["v4"] or match["v6"])
        except ValueError:
            return False
        # "::" alone is an address too, and "12::" is a typing error more often than a network.
        return address.version == 4 or match["v6"].count(":") >= 4
