"""Handles of social networks and payment services: "Insta: @a.osei". 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_NETWORK: Final = (
    r"insta(?:gram)?|IG|FB|facebook|messenger|twitter|tweets?|X|snap(?:chat)?|tik\s?tok|venmo|cash\s?app|zelle|"
    r"paypal|whats\s?app|telegram|signal|discord|reddit|linked\s?in|youtube|bluesky|mastodon|threads|skype|"
    r"we\s?chat|twitch|pinterest|tumblr|strava|handle|gamertag|socials?|social\smedia|profile"
)
# These are no words of medicine, so that what stands behind their colon needs no "@".
_SURE_NETWORK: Final = (
    r"insta(?:gram)?|snap(?:chat)?|tik\s?tok|venmo|cash\s?app|zelle|whats\s?app|telegram|discord|we\s?chat|"
    r"twitch"
)


class SocialHandle(PatternRecogniser):
    """Behind the name of a network and "@"; without a name where an underscore or a point joins its parts,
    since "@bedside" and "@1400" say where and when."""

    category = Category.NAME
    score = 0.88
    pattern = re.compile(
        rf"(?:\b(?:{_NETWORK})\b\)?(?:\s(?:handle|account|acct|user(?:name)?|name|id|profile|page|DM))?"
        r"(?:\s?[:=(]|\s(?:is|at|as))?\s{0,2}(?=[@$][A-Za-z_])|"
        rf"\b(?:{_SURE_NETWORK})\s?[:=]\s{{0,2}}(?=[a-z]+[._]?[a-z]+(?:\d|[._][a-z])[\w.]{{0,24}})|"
        r"(?<![\w.@])(?=@[A-Za-z]\w{0,20}(?:_|(?-i:\.[a-z]))))"
        r"(?P<phi>[@$]?\w[\w.-]{1,40}(?<![.-]))(?![\w@])",
        re.IGNORECASE,
    )
