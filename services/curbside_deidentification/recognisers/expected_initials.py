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
from curbside_deidentification.recognisers.writing.initials import (
    DAY,
    DEGREE,
    FULL_DAY,
    LINE_END,
    NO_INITIALS,
    TIME,
    TRADES,
)

_XX: Final = r"[A-Z]{2,3}|[A-Z]\.[A-Z]\.(?:[A-Z]\.)?"
_END: Final = rf"(?=[.,;)\]]?{LINE_END}|[.;)\]][ ]|[ ]{{2,}}|,?[ ]{DEGREE}(?:,|{LINE_END}))"
_STAMP: Final = rf"(?=[ ,]{{1,2}}(?:@[ ]?|(?i:at|on)[ ])?(?:{TIME}|{DAY})(?!\d))"
_JOINT: Final = (
    r"(?:[ ]?[/+&,][ ]?|[ ]?->[ ]?|[ ](?:and|to|with|w/|x2)[ ]|"
    r"[ ](?!(?:AT|ON|BY|IN|TO|OF|FOR|THE|AND|WITH|AM|PM)\b))"
)
# One, or two who did it together.
_ONE_OR_TWO: Final = rf"(?P<one>{_XX})(?![\w'’])(?:{_JOINT}(?!{DEGREE})(?P<two>{_XX}))?"

# Labels of a form behind which whoever did it stands.
_LABEL: Final = by_initial(
    r"author|reader|supervisor|preceptor|surgeon|assist(?:ant)?|attending|scribe|transcribe[dr]|typist|typed|"
    r"dictated|off-?going|on-?coming|RN|MD|MA|CNA|LPN|PCA|tech(?:nician|nologist)?|nurse|aide|witness(?:ed)?|"
    r"verified|checked|double[ -]?check(?:ed)?|co-?sign(?:ed|er)|signed|initials?|edited|entered|reviewe[dr]|"
    r"operator|recorder|charted|staff|circulator|scrub|handoff|relief|next\sshift|sitter|observer|rater|"
    r"examiner|interviewer|coder|abstractor|prepared|approved|authori[sz]ed|interpreted|"
    r"d/t|D|T|RB/?V|TORB|VORB|read\s?back|RN\scheck"
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
    r"dispensed|filled|screened|grossed|stained|triaged|roomed|supervised|attested|accepted|consented|"
    r"notified|called|informed|counselled|initialed|proofed|programmed|"
    r"(?:arterial[ ]|central[ ])?lines?|IV|PICC|catheter|airway|intubat(?:ion|ed)|exam|dressings?|block|"
    r"spinal|epidural|delivery|closure|prep"
)
_BY: Final = re.compile(rf"\b(?i:{_ACT})[ ](?i:by)[ ]{_ONE_OR_TWO}(?:{_END}|{_STAMP}|(?=[ ]at[ ]bedside))")
# The same by somebody's hand: "Changed by KS at 03:32", "second attempt by CG".
_HAND: Final = by_initial(
    r"injected|inserted|drawn|administered|started|attempt(?:ed|s)?|stick|sticks|placed|accessed|hung|"
    r"weighed|transported|escorted|bathed|fed|shaved|prepped|positioned|scanned|obtained|collected|"
    r"removed|changed|"
    r"flushed|measured|recorded|completed|performed|done|given|taken|assisted|applied|cleaned|logged|"
    r"set[ -]?up"
)
_BY_HAND: Final = re.compile(
    rf"\b(?i:{_HAND})[ ](?i:by)[ ]{_ONE_OR_TWO}(?:{_STAMP}|(?=[ ](?i:blew|failed|missed|infiltrated|"
    r"(?:un)?successful(?:ly)?|ok(?:ay)?|without|w/o|x[ ]?\d|on[ ](?:the[ ])?(?:first|second|\d)|in[ ]\d)\b))"
    rf"|\b(?i:first|second|third|1st|2nd|3rd|fourth|last)"
    rf"(?:[ ](?i:attempt|try|stick|check|count|reader|look|read))?[ ](?i:by)[ ](?P<next>{_XX})(?![\w'’])"
)
# Of these, beside a time, not even a unit is the doer: "Injected by XR at 03:32".
_BY_SURE_HAND: Final = re.compile(
    rf"\b(?i:injected|injection|inserted|cannulated|accessed|drawn|attempt(?:ed)?|weighed|transported)"
    rf"[ ](?i:by)[ ](?P<one>{_XX})(?![\w'’]){_STAMP}"
)
# Behind the day of a transcription: "Transcribed 06-OCT-2019 CPC".
_TRANSCRIBED: Final = re.compile(
    rf"\b(?i:transcribed|typed|trans|transcription)[ ]?:?[ ](?i:on[ ])?(?:{DAY})(?:[ ,]{{1,2}}(?:{TIME}))?"
    rf"[ ,/-]{{1,3}}(?P<typed>[A-Z]{{2,3}}|[a-z]{{2,3}}){LINE_END}"
)
_SERVICE: Final = by_initial(
    r"pharmacy|nutrition|dietary|chaplain(?:cy)?|social[ ]work|case[ ]management|wound[ ]care|"
    r"PT|OT|RT|SW|CM|RD|SLP|speech|palliative|hospice|interpreter|radiology|lab|nursing"
)
_TOLD: Final = re.compile(
    r"\b(?i:hand-?off|issued|handed|delivered|released|report(?:[ ]given|ed)?|endorsed|signed[ ]out|"
    rf"sign-?out|care|given|called|read[ ]back|phoned)[ ]to[ ](?P<to>{_XX})(?![\w'’])"
    rf"(?:[ ]?(?:->|/)[ ]?(?P<then>{_XX}))?"
    rf"(?:{_END}|{_STAMP}|(?=[ ](?:RN|MD|LPN)\b))"
    rf"|\b(?i:hand-?off)[ ]?:[ ]?(?P<giver>{_XX})[ ]?(?:->|>|to|/)[ ]?(?P<taker>{_XX})(?![\w'’])"
    rf"|\b(?i:notified|informed|called|paged)[ ](?P<told>{_XX})(?=[ ](?:at|@)[ ]?(?:{TIME}))"
    r"|\b(?i:d/w|discussed[ ]with|reviewed[ ]w(?:ith|/)|spoke[ ]w(?:ith|/))[ ]"
    rf"(?P<talked>{_XX})(?=[.;,]?{LINE_END}|[ ]re:?[ ])"
    rf"|\bper[ ](?P<per>{_XX}){_END}"
    rf"|\b(?i:relief|relieved|back)[ ](?P<back>{_XX})(?=[ ](?:{TIME}))"
    rf"|(?:(?m:^)|(?<=[.;] ))[ \t]{{0,4}}(?:MA|CNA|RN|LPN|PCT|Tech|Triage|Roomed|Intake|Vitals)[ ]"
    rf"(?P<staff>{_XX})(?=[.:][ ])"
    rf"|\b(?i:call|page|text|notify|ask|tell)[ ](?P<asked>{_XX})"
    r"(?=[ ](?:for|if|with|when|about|re|before|once)\b)"
    rf"|\b(?:if|until|till|unless|once|when|after|before)[ ](?P<when>{_XX})"
    r"(?=[ ](?:agrees?|approves?|okays?|clears|signs|returns|calls|arrives|rounds|sees|reviews|says)\b)"
    # Who of a service: "Pharmacy (RUN) following".
    rf"|\b{_SERVICE}[ ]\((?P<of>{_XX})(?=\)[ ](?:following|notified|aware|to|will|updated|consulted|here|at|"
    r"present|saw|signed|called|on|informed|agrees)\b)"
    rf"|\((?P<under>{_XX})(?=[ ]under[ ][A-Z])"
)
# What only a person does, where a sentence begins.
_DOES: Final = re.compile(
    rf"(?:(?m:^)|(?<=[.;,] ))[ \t]{{0,4}}(?P<subject>{_XX})(?=[ ](?:notified|aware|informed|paged|phoned|"
    r"texted|emailed|says|said|told|asked|asks|wants|wrote|spoke|talked|saw|dictated|typed|charted|"
    r"co-?signed|gave|helped|stretched|assisted|walked|taught|repositioned|escorted|fed|bathed|covering|"
    r"(?:re)?applied[ ](?!to|for|at|by|with|in|over)|noticed|rounded|(?:met|sat|stayed)[ ]with|"
    r"agree[sd]|explained|heard|brought|took[ ](?:the|pt|over|him|her)|here[ ](?:until|till|from)|"
    r"off[ ]at|on[ ]call|took[ ]report|drew|updated|"
    r"will[ ](?:follow|see|call|order|update|arrange|contact|check)|"
    r"to[ ](?:follow|see|call|order|arrange|update|relieve|cover|check))\b)"
)
_MARKED: Final = re.compile(
    # Behind a deed, as in "given (MS/PT)".
    r"\b(?:given|checked|verified|done|completed|administered|held|hung|wasted|flushed|changed|drawn|signed|"
    rf"correct|counted|confirmed|witnessed|infusing)[ ][(\[](?P<doer>{_XX})"
    rf"(?:[ ]?[/,&+][ ]?(?P<checker>{_XX}))?[)\]]"
    # With a degree, and by themselves in a line.
    rf"|(?m:^)[ \t]{{0,4}}(?:[-–—~][ ]?)?(?P<line>{_XX}),?[ ]{DEGREE}[.]?{LINE_END}"
    rf"|(?:--|~|//|(?<=\s)/)[ ]?(?P<dashed>{_XX})(?={LINE_END})"
    rf"|\b(?i:addendum)[ ][(\[]?(?P<added>{_XX})[)\]]?:"
)
# By themselves in a line, or in the last column of one, beside a day or a time.
_STAMPED: Final = re.compile(
    rf"(?m:^)[ \t]{{0,4}}(?P<entry>[A-Z]{{2,4}})[ ]\d{{1,2}}:\d\d(?={LINE_END})"
    rf"|\bby[ ][A-Z]{{2}}\b[^\r\n]{{1,60}}(?:{DAY})[ ](?P<second>[A-Z]{{2}})(?=\.?{LINE_END})"
    rf"|[ \t]{{3}}(?P<column>[A-Z]{{2,3}})[ ](?=\d{{1,2}}/\d{{1,2}}/\d{{2,4}}\b)"
    rf"|@[ ]?\d{{1,2}}:\d\d(?:[ ]?[AP]M)?[ ](?P<at>[A-Z]{{2,3}})(?={LINE_END})"
    r"|(?m:^)(?P<last>[A-Z]{3})(?=\s{0,9}\Z)"
    rf"|(?:(?m:^)|(?<=[a-z\d)][.] ))(?P<signed>[A-Z]{{2,3}})"
    rf"(?=[ ](?:{FULL_DAY})(?:[ ](?:{TIME}))?{LINE_END})"
    rf"|(?<=[.] )[(](?P<closing>[A-Z]{{2,3}})(?=[)](?:{LINE_END}|[ ]{{2}}))"
    rf"|(?m:^)[ \t]{{0,4}}\d{{1,2}}:\d\d(?:[ ]?[AP]M)?[ ]{{1,3}}[^\r\n]{{10,200}}?[a-z\d][,;.][ ]"
    rf"(?P<entered>[A-Z]{{2}})(?={LINE_END})"
    rf"|(?:,|\d)[ ](?i:by)[ ](?P<by>[A-Z]{{2,3}})(?=[.;,]?{LINE_END}|[.;][ ])"
    rf"|(?<=[a-z][.] )(?P<noted>[A-Z]{{2}})(?=[ ](?:{DAY}){LINE_END})"
    rf"|\b(?:stick|sticks|attempts?|pass|passes|tries),[ ](?P<hand>[A-Z]{{2,3}})(?=[.;,])"
    # Who attests: "I saw and examined the patient. BL".
    r"|\bI[ ](?:was|saw|have|agree|personally|reviewed|examined|discussed|"
    r"supervised)\b[^.\n]{3,80}[.][ ]{1,2}"
    rf"(?P<attests>[A-Z]{{2,3}})(?={LINE_END}|[ ]{{1,2}}[A-Z][a-z]|[ ](?:{DAY}))"
    rf"|\b{DEGREE}/(?P<typed>[a-z]{{2,3}})(?=[ ]{{2,}}|{LINE_END})"
)
# The foot of a dictation: who spoke, who typed, and perhaps the job.
_FOOT: Final = re.compile(
    r"(?m:^)[ \t]{0,4}(?P<spoke>[A-Z][A-Za-z]{1,15}):(?P<typed>[a-z]{2,3})"
    rf"(?=[ \t]{{1,8}}[A-Z]{{0,3}}\d{{4,12}}{LINE_END}|(?<=[A-Z]:[a-z][a-z]){LINE_END}|"
    rf"(?<=[A-Z]:[a-z][a-z][a-z]){LINE_END})"
)
# The last of a document, with its day and its time: "Recorded line. HR 01/30/2023 1103".
_LAST_STAMP: Final = re.compile(
    rf"(?<=[a-z\d][.;] )(?!(?:CT|MR|MRI|US|XR|ED|ER|OR|IR|ECG|EKG)\b)(?P<one>[A-Z]{{2,3}})"
    rf"(?=[ ](?:{FULL_DAY})[ ,@]{{1,2}}(?:{TIME})\s{{0,9}}\Z)"
    # Before the days on which it was dictated and typed.
    rf"|(?m:^)[ \t]{{0,4}}(?P<typed>[A-Z]{{2,3}})"
    rf"(?=[ ]{{1,4}}DD?[ :]{{1,3}}(?:{DAY})[ ]{{1,4}}(?:DT|TD|T)[ :])"
)
_PATTERNS: Final = (
    _LAST_STAMP,
    _BY_LABEL,
    _LABELLED,
    _BEHIND_DEED,
    _BY,
    _BY_HAND,
    _BY_SURE_HAND,
    _TRANSCRIBED,
    _TOLD,
    _DOES,
    _MARKED,
    _STAMPED,
    _FOOT,
)
# Where nothing else stands, were it a word or a unit.
_SURE: Final = (_LAST_STAMP, _BY_LABEL, _FOOT, _TRANSCRIBED, _BY_SURE_HAND)
_THINGS: Final = words("abbreviations")
_FEW: Final = 2


class ExpectedInitials:
    """Two or three capitals where whoever stands is a person: here an abbreviation of medicine is somebody's
    initials, too. Services, trades, degrees, units and plain words stay."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for pattern in _PATTERNS:
            for match in pattern.finditer(text):
                found = {group: written.casefold() for group, written in match.groupdict().items() if written}
                likely = pattern is _TRANSCRIBED or any(map(_may_be_initials, found.values()))
                # Of two who did it together, one may be anything.
                sure = pattern in _SURE or not NO_INITIALS.issuperset(found.values())
                if likely and sure and (pattern is _LAST_STAMP or TRADES.isdisjoint(found.values())):
                    for group in found:
                        yield Span(*match.span(group), Category.NAME, 0.75, "ExpectedInitials")


def _may_be_initials(bare: str) -> bool:
    # Of two letters nearly all are an abbreviation of something, and most are somebody's, too.
    return len(bare) <= _FEW or bare not in _THINGS
