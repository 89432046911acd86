"""How places are written: states, streets, kinds of facilities, and what is kept of a candidate.

45 CFR 164.514(b)(2)(i)(B).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.replacement.words import states

# USPS Publication 28, appendix B: two-letter state and possession abbreviations.
STATE: Final = (
    "(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|"
    "P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY])"
)


def _both_cases(words: Iterable[str]) -> str:
    """The alternatives of `words`, as they are written and in capitals, the longest first."""
    spelt = {form for word in words for form in (word, word.upper())}
    return f"(?:{'|'.join(sorted(spelt, key=lambda form: (-len(form), form)))})"


STATE_NAME: Final = _both_cases(states())
# USPS Publication 28, appendix C1: street suffixes in use, in small letters behind a capital and in capitals.
STREET: Final = _both_cases(
    """
    Street St Str Avenue Ave Av Road Rd Boulevard Blvd Drive Dr Lane Ln Court Ct Place Pl Circle Cir Way
    Terrace Ter Terr Parkway Pkwy Pky Highway Hwy Square Sq Trail Trl Loop Crescent Cres Alley Aly Plaza
    Plz Pike Turnpike Tpke Tpk Row Path Ridge Rdg Run Crossing Xing Heights Hts Hollow Holw Mews Close
    Expressway Expy Freeway Fwy Causeway Cswy Bypass Bend Branch Bridge Brook Bluff Cove Cv Creek Crest
    Curve Esplanade Estates Extension Ext Fork Garden Gardens Gate Glen Glenn Green Greenway Grove Grv
    Harbor Hill Hills Isle Junction Knoll Lake Landing Lndg Manor Meadow Meadows Mdws Mill Motorway Oval
    Overlook Park Pass Passage Point Pt Promenade Quay Reach Rise Route Rte Shore Shores Spur Spring
    Springs Station Summit Terrasse Trace Trce Track Vale Valley View Village Villas Vista Vis Walk
    Wharf Wynd
    """.split()  # noqa: SIM905
)
# Suffixes that are a plain word, a title or an abbreviation as often, so that a number and a word before
# them prove no street ("64 Slice CT", "2 Weeks Park"): a town, a unit or a word that places somebody must
# stand beside.
DOUBTFUL_STREET: Final = frozenset(
    """
    CT ST DR PL TER STR RUN ROW PT VIS CV AV EXT TRACE TRACK PASS PASSAGE CURVE BRANCH BRIDGE RIDGE PATH
    LOOP WAY CLOSE PLACE REACH RISE SPUR POINT VIEW WALK STATION GATE JUNCTION BEND CREST FORK CREEK
    LAKE PARK HILL HILLS MILL MANOR GREEN GLEN GROVE GARDEN GARDENS VALLEY VALE VILLAGE SPRING SPRINGS
    SHORE SHORES SUMMIT MEADOW MEADOWS HARBOR ISLE KNOLL LANDING COVE BROOK BLUFF EXTENSION ESTATES
    ROUTE SQUARE
    """.split()  # noqa: SIM905
)
# Words of landscape, season and outlook that towns, streets, homes and practices are named by; USPS
# Publication 28, appendix C1, lists the suffixes among them. Two capitalised words with one of these are a
# place's name.
TOPONYMS: Final = frozenset(
    """
    acres arbor bank bay bayou beach bend birch bluff bluffs bridge brook brooks canyon cape cedar
    cedars cherry chestnut cliff cliffs coast commons cottonwood cove creek corner corners crest
    crossing crossroads cypress dale desert elm elms estates falls farm fern field fields foothill
    foothills forest fork forks fountain garden gardens gate gateway glen grove hampton harbor harbour
    haven hawthorn heartland heights hickory highland highlands hill hills hillside hilltop hollow
    homestead island isle juniper knoll lagoon lake lakes lakeside lakeview landing laurel ledge linden
    lodge magnolia manor maple marsh meadow meadows mesa mill mills mountain oak oakwood oaks oasis
    orchard overlook palm palms parkside parkview parkway pine pines plains plateau point pointe pond
    port prairie quarry ranch ridge river riverbend riverside riverview rock rose sands savannah seaside
    shore shores sierra sky snow springs spruce star stone summit sun sundance sunny sunnyside sunrise
    sunset sycamore tamarack terrace timber town trail trails tree vale valley view village villa
    vineyard vista walnut waters waterfront wharf willow willows wood woodland woodlands woods bayside
    brookside creekside hillcrest northside southside eastside westside uptown downtown midtown
    crosstown tri-county tri-city county-line
    """.split()  # noqa: SIM905
)
# What houses of a church or an order are named by.
DEVOTIONAL: Final = frozenset(
    """
    saint st st. mercy samaritan providence trinity sacred holy lourdes fatima baptist methodist
    presbyterian lutheran adventist episcopal evangelical jewish shriners emmanuel immanuel bethesda
    bethany carmel sinai zion providence charity divine sisters lady blessed memorial
    """.split()  # noqa: SIM905
)
# Bounded, and begun only where a word begins: a long row of "A-" or "A'" costs no time.
CAP: Final = r"[A-Z][^\W\d_]{0,40}(?:['’&-][^\W\d_]{1,40}){0,4}"
BEFORE: Final = r"(?<![\w.'’&-])"
# Before the first and before a further word of what stands behind a label: the next label is no part of it.
NO_LABEL: Final = r"(?!\w{1,20}[ ]?[:#])"
NO_NEXT_LABEL: Final = r"(?!\w{1,20}(?:[ ]\w{1,20})?[ ]?[:#])"
# From a label to its value: a colon, or the tags of a narrative's table.
LABEL_END: Final = (
    r"(?:[ ]?[:=#](?:[ \t]|</?\w{1,8}>){0,8}|"
    r"</\w{1,8}>(?:[ \t:]|</?\w{1,8}>){1,8}|[ ]?\t[ \t]{0,8})"
)
# What forms hold where there is nothing to tell.
NOTHING: Final = frozenset(
    """
    none unknown unk n/a na self same retired unemployed disabled student refused declined blank not no
    yes home other denies pending deferred homemaker employed
    """.split()  # noqa: SIM905
)


def all_words(phrase: str, lexicon: Lexicon) -> bool:
    """Whether every word of `phrase` is in the vocabulary."""
    return all(lexicon.is_word(word.strip(".,")) for word in phrase.split())


def opens_line(text: str, at: int) -> bool:
    """Whether a line begins at `at`: a facility's name may stand there whatever its words."""
    before = text[max(0, at - 80) : at].rstrip(" \t")
    return before.endswith("\n") or (not before.strip() and at <= 80)
