"""Initials where they are asked for: "RN: CP", "Checked by MS and CP". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import words
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.alternatives import by_initial
from curbside_deidentification.recognisers.writing.initials import DAY, DEGREE, TIME

_XX: Final = r"[A-Z]{2,3}|[A-Z]\.[A-Z]\.(?:[A-Z]\.)?"
_LINE_END: Final = r"[ \t]{0,4}(?:[\r\n]|\Z)"
_END: Final = rf"(?=[.,;)\]]?{_LINE_END}|[.;)\]][ ]|[ ]{{2,}})"
_STAMP: Final = rf"(?=[ ,]{{1,2}}(?:@[ ]?|at[ ]|on[ ])?(?:{TIME}|{DAY})(?!\d))"
_JOINT: Final = r"(?:[ ]?[/+&,][ ]?|[ ]?->[ ]?|[ ](?:and|to|with|w/|x2)[ ]|[ ])"
# One, or two who did it together.
_ONE_OR_TWO: Final = rf"(?P<one>{_XX})(?![\w'’])(?:{_JOINT}(?P<two>{_XX}))?"

# Labels of a form behind which whoever did it stands.
_LABEL: Final = by_initial(
    r"author|reader|supervisor|preceptor|surgeon|assist(?:ant)?|attending|scribe|transcribe[dr]|typist|typed|"
    r"dictated|off-?going|on-?coming|RN|MD|MA|CNA|LPN|PCA|tech(?:nician|nologist)?|nurse|aide|witness(?:ed)?|"
    r"verified|checked|double[ -]?check(?:ed)?|co-?sign(?:ed|er)|signed|initials?|edited|entered|reviewe[dr]|"
    r"operator|recorder|charted|staff|circulator|scrub|handoff|relief|next\sshift|sitter|observer|rater|"
    r"examiner|interviewer|coder|abstractor|d/t|D|T|RB/?V|TORB|VORB|read\s?back|RN\scheck"
)
_LABELLED: Final = re.compile(rf"(?<![\w/-])(?i:{_LABEL})[ ]?[:#][ ]{{0,3}}{_ONE_OR_TWO}(?:{_END}|{_STAMP})")
# "Off by: MY": here nothing but a person stands.
_BY_LABEL: Final = re.compile(rf"(?i:\bby)[ ]?:[ ]{{0,3}}{_ONE_OR_TWO}(?:{_END}|{_STAMP})")
# Deeds behind which nothing but their doer ends a line.
_DEED: Final = by_initial(
    r"witness(?:ed)?|verified(?:[ ]x[ ]?[23])?|co-?sign(?:ed)?|attested|preceptor|scribe|sitter|[VT]ORB|"
    r"RB/?V|hook-?up|attempt[ ]x[ ]?\d|agreed,?|scored[ ]by|(?:on-?|off-?)(?:coming|going)|"
    r"(?:double|second|2nd)[ -]?check(?:ed)?|typist|transcriptionist|(?:resp(?:iratory)?[ ])?therapist|nurse|"
    r"RN|LPN|CNA|PCA|tech|reader|edited|initialed"
)
_BEHIND_DEED: Final = re.compile(
    rf"(?<![\w/-])(?i:{_DEED})[ ]{{1,2}}{_ONE_OR_TWO}"
    rf"(?:{_END}|{_STAMP}|(?=[ ](?:at[ ]bedside|(?:un)?successful)))"
)
# Nothing of this is done by an instrument or a method, as "confirmed by PCR" is.
_ACT: Final = by_initial(
    r"(?:re)?checked|verified|reviewed|read|(?:co-?)?signed(?:[ ]out)?|witnessed|entered|dictated|typed|"
    r"transcribed|charted|counted|held|interviewed|relieved|covered|scribed|edited|released|received|"
    r"dispensed|filled|screened|grossed|stained|triaged|roomed|supervised|attested|accepted|consented|notified|"
    r"called|informed|counselled|initialed|proofed"
)
_BY: Final = re.compile(rf"\b(?i:{_ACT})[ ]by[ ]{_ONE_OR_TWO}(?:{_END}|{_STAMP}|(?=[ ]at[ ]bedside))")
_TOLD: Final = re.compile(
    r"\b(?i:hand-?off|issued|handed|delivered|released|report(?:[ ]given|ed)?|endorsed|signed[ ]out|"
    rf"sign-?out|care|given|called|read[ ]back|phoned)[ ]to[ ](?P<to>{_XX})(?![\w'’])"
    rf"(?:[ ]?(?:->|/)[ ]?(?P<then>{_XX}))?"
    rf"(?:{_END}|{_STAMP}|(?=[ ](?:RN|MD|LPN)\b))"
    rf"|\b(?i:hand-?off)[ ]?:[ ]?(?P<giver>{_XX})[ ]?(?:->|>|to|/)[ ]?(?P<taker>{_XX})(?![\w'’])"
    rf"|\b(?i:notified|informed|called|paged)[ ](?P<told>{_XX})(?=[ ](?:at|@)[ ]?(?:{TIME}))"
    r"|\b(?i:d/w|discussed[ ]with|reviewed[ ]w(?:ith|/)|spoke[ ]w(?:ith|/))[ ]"
    rf"(?P<talked>{_XX})(?=[.;,]?{_LINE_END}|[ ]re:?[ ])"
    rf"|\bper[ ](?P<per>{_XX}){_END}"
    rf"|\b(?i:relief|relieved|back)[ ](?P<back>{_XX})(?=[ ](?:{TIME}))"
    rf"|(?:(?m:^)|(?<=[.;] ))[ \t]{{0,4}}(?:MA|CNA|RN|LPN|PCT|Tech|Triage|Roomed|Intake|Vitals)[ ]"
    rf"(?P<staff>{_XX})(?=[.:][ ])"
    rf"|\((?P<under>{_XX})(?=[ ]under[ ][A-Z])"
)
# What only a person does, where a sentence begins.
_DOES: Final = re.compile(
    rf"(?:(?m:^)|(?<=[.;,] ))[ \t]{{0,4}}(?P<subject>{_XX})(?=[ ](?:notified|aware|informed|paged|phoned|"
    r"texted|emailed|says|said|told|asked|asks|wants|wrote|spoke|talked|saw|dictated|typed|charted|"
    r"co-?signed|gave|helped|stretched|assisted|walked|taught|repositioned|escorted|fed|bathed|covering|agree[sd]|"
    r"here[ ](?:until|till|from)|off[ ]at|on[ ]call|took[ ]report|drew|updated|"
    r"will[ ](?:follow|see|call|order|update|arrange|contact|check)|"
    r"to[ ](?:follow|see|call|order|arrange|update|relieve|cover|check))\b)"
)
_MARKED: Final = re.compile(
    # Behind a deed, as in "given (MS/PT)".
    r"\b(?:given|checked|verified|done|completed|administered|held|hung|wasted|flushed|changed|drawn|signed|"
    rf"correct|counted|confirmed|witnessed|infusing)[ ][(\[](?P<doer>{_XX})"
    rf"(?:[ ]?[/,&+][ ]?(?P<checker>{_XX}))?[)\]]"
    # With a degree, and by themselves in a line.
    rf"|(?m:^)[ \t]{{0,4}}(?:[-–—~][ ]?)?(?P<line>{_XX}),?[ ]{DEGREE}[.]?{_LINE_END}"
    rf"|(?:--|~|//|(?<=\s)/)[ ]?(?P<dashed>{_XX})(?={_LINE_END})"
    rf"|\b(?i:addendum)[ ][(\[]?(?P<added>{_XX})[)\]]?:"
)
# By themselves in a line, or in the last column of one, beside a day or a time.
_STAMPED: Final = re.compile(
    rf"(?m:^)[ \t]{{0,4}}(?P<entry>[A-Z]{{2,4}})[ ]\d{{1,2}}:\d\d(?={_LINE_END})"
    rf"|\bby[ ][A-Z]{{2}}\b[^\r\n]{{1,60}}(?:{DAY})[ ](?P<second>[A-Z]{{2}})(?=\.?{_LINE_END})"
    rf"|[ \t]{{3}}(?P<column>[A-Z]{{2,3}})[ ](?=\d{{1,2}}/\d{{1,2}}/\d{{2,4}}\b)"
    rf"|@[ ]?\d{{1,2}}:\d\d(?:[ ]?[AP]M)?[ ](?P<at>[A-Z]{{2,3}})(?={_LINE_END})"
    r"|(?m:^)(?P<last>[A-Z]{3})(?=\s{0,9}\Z)"
    rf"|(?:,|\d\d)[ ](?i:by)[ ](?P<by>[A-Z]{{2,3}})(?={_LINE_END})"
)
# The foot of a dictation: who spoke, who typed, and perhaps the job.
_FOOT: Final = re.compile(
    r"(?m:^)[ \t]{0,4}(?P<spoke>[A-Z][A-Za-z]{1,15}):(?P<typed>[a-z]{2,3})"
    rf"(?=[ \t]{{1,8}}[A-Z]{{0,3}}\d{{4,12}}{_LINE_END}|(?<=[A-Z]:[a-z][a-z]){_LINE_END}|"
    rf"(?<=[A-Z]:[a-z][a-z][a-z]){_LINE_END})"
)
_PATTERNS: Final = (_BY_LABEL, _LABELLED, _BEHIND_DEED, _BY, _TOLD, _DOES, _MARKED, _STAMPED, _FOOT)
# Where nothing else stands, were it a word or a unit.
_SURE: Final = (_BY_LABEL, _FOOT)
_TRADES: Final = words("trades_in_short")
_NEVER: Final = _TRADES | words("never_initials") | words("orders")
_THINGS: Final = words("abbreviations")
_FEW: Final = 2


class ExpectedInitials:
    """Two or three capitals where whoever stands is a person: here an abbreviation of medicine is somebody's
    initials, too. Services, trades, degrees, units and plain words stay."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for pattern in _PATTERNS:
            never = _TRADES if pattern in _SURE else _NEVER
            for match in pattern.finditer(text):
                found = {group: written.casefold() for group, written in match.groupdict().items() if written}
                if never.isdisjoint(found.values()) and any(map(_may_be_initials, found.values())):
                    for group in found:
                        yield Span(*match.span(group), Category.NAME, 0.75, "ExpectedInitials")


def _may_be_initials(bare: str) -> bool:
    # Of two letters nearly all are an abbreviation of something, and most are somebody's, too.
    return len(bare) <= _FEW or bare not in _THINGS
