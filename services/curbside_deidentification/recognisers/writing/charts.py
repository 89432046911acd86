"""The forms in which a chart names staff by initials, and which letters in them are nobody's.

45 CFR 164.514(b)(2)(i)(A).
"""

from __future__ import annotations

import re
from typing import Final

from curbside_deidentification.recognisers.writing.alternatives import by_initial
from curbside_deidentification.recognisers.writing.initials import DAY, DEGREE, LINE_END, TIME

_XX: Final = r"[A-Z]{2,3}"
CAPITALS: Final = re.compile(rf"(?<![^\W_]){_XX}(?![^\W_])")
WORD: Final = re.compile(r"[a-z]{3}")
_ALONE: Final = r"(?![\w'’&-]|/[\w])"
_END: Final = rf"[.,;:)\]]{{0,2}}(?:{LINE_END}|[ ]{{2}})|[.;,)\]]{{1,2}}[ ]"
_STAMP: Final = rf"[ ,]{{1,2}}(?:@[ ]?|(?i:at|on)[ ])?(?:{TIME}|{DAY})(?!\d)"
_GOES_ON: Final = (
    r"[ ](?i:with|without|w/o?|using|via|at|on|in|for|and|to|after|before|under|over|from|until|till|who|re|"
    r"then|per|as|x[ ]?\d|times|left|right|[LR]|(?:un)?successful(?:ly)?)(?![\w-])|[ ](?:[@(&+]|"
    r"\d{1,2}[ ]?(?:g|ga)\b)"
)
# What stands behind somebody in a sentence that goes on about what was done.
_BEHIND: Final = rf"(?=(?:,?[ ]{DEGREE})?(?:{_END}|{_STAMP}|{_GOES_ON})|[ ]{DEGREE})"

# Deeds of a hand, behind which "by" names its owner.
_DEED: Final = by_initial(
    r"(?:re)?placed|inserted|(?:re)?started|drawn|obtained|collected|given|administered|changed|removed|"
    r"flushed|"
    r"hung|(?:re)?checked|verified|(?:re)?weighed|performed|done|completed|assisted|accessed|held|confirmed|"
    r"repositioned|turned|walked|ambulated|bathed|fed|cleaned|applied|reinforced|pulled|emptied|measured|"
    r"recorded|charted|documented|entered|noted|taken|received|reported|called|notified|informed|paged|"
    r"phoned|faxed|sent|scanned|mailed|witnessed|signed|co-?signed|reviewed|read|(?:re)?screened|triaged|"
    r"roomed|seen|evaluated|examined|interviewed|transported|escorted|relieved|covered|consented|approved|"
    r"released|dispensed|filled|compounded|prepared|packed|labell?ed|accessioned|grossed|embedded|cut|"
    r"stained|"
    r"calibrated|programmed|interrogated|injected|intubated|extubated|suctioned|attempt(?:ed)?|typed|"
    r"transcribed|dictated|edited|proofed|scribed|translated|interpreted|counted|opened|closed|cleared|"
    r"ordered|renewed|refilled|scheduled|cancelled|canceled|authori[sz]ed|created|updated|corrected|amended|"
    r"set[ -]?up|x[ ]?\d|note|entry|addendum|check|sim|exam|vitals|lead|epidural|spinal|block|line|IV"
)
_BY: Final = re.compile(
    rf"\b(?i:{_DEED})[ ](?:(?i:by)|per)[ ](?P<one>{_XX})(?:[ ]?[/&,+][ ]?(?P<two>{_XX}))?{_ALONE}{_BEHIND}"
)
# Who hands over, is told, or stands by: "report received from KO", "wasted 2 mg with KO".
_DEALING: Final = by_initial(
    r"report|hand-?off|care|assumed|assigned|(?:taking|took)[ ]over|covering|coverage|cover|"
    r"relief|wasted?|witnessed|verified|checked|confirmed|discussed|discussion|reviewed|review|spoke|spoken|"
    r"talked|staffed|rounded|precepted|conferred|consulted|signed[ ]out|endorsed|handed|message|msg|routed|"
    r"forwarded|faxed|reported|called|given|phoned|read[ ]back|escalated|"
    r"clarified|time[ -]?out|counted|seen|examined|done|performed|agreed|plan|case|task|note|given[ ]back|"
    r"cosigned|co-?treat(?:ed|ment)?|co-?tx|mtg|meeting|session|concurs?"
)
_WITH: Final = re.compile(
    rf"\b(?i:{_DEALING})\b(?:[ ](?:[a-z]{{2,12}}|[\d.]{{1,5}}[ ]?m?[gl]|[\d.]{{1,4}})){{0,3}}[ ]"
    rf"(?:(?:(?i:with|from|to|by)|(?:(?<=ring[ ])|(?<=rage[ ])|(?<=lief[ ])|(?<=ver[ ]))for)[ ]|"
    rf"(?:w/|w|c)[ ]?)"
    rf"(?:(?:PACU|ICU|ED|OR|L&D|floor|lab|pharmacy),?[ ])?(?P<one>{_XX})"
    rf"(?:(?:[ ]?[/&+,][ ]?|[ ]and[ ])(?P<two>{_XX}))?(?:,?[ ](?:and|&)[ ](?P<three>{_XX}))?{_ALONE}{_BEHIND}"
)
# Who has a part in the care, and what somebody does behind whose trade it stands.
_ROLE: Final = (
    r"(?:(?i:house[ ]sup(?:ervisor)?|charge(?:[ ](?:nurse|RN))?|nurse|intern|resident|fellow|attending|"
    r"hospitalist|"
    r"night[ -]?float|cross[ -]?cover|case[ ](?:mgr|manager)|care[ ](?:mgr|manager|coordinator)|"
    r"social[ ]work(?:er)?|dietitian|nutritionist|pharmacist|chaplain|supervisor|supv|perfusionist|"
    r"(?:histo|cyto|phlebo|x-?ray|lab|ultra|ekg|monitor|dialysis|ortho|rehab|psych|er|ed|surg)?[ -]?tech"
    r"(?:nologist|nician)?|sonographer|driver|medic|paramedic|crew(?:[ ]chief)?|attendant|author|sitter|aide|"
    r"clerk|secretary|scribe|preceptor|orientee|student|therapist|counselor|interpreter|witness|proctor|"
    r"assist(?:ant)?|surgeon|scrub|circ(?:ulator)?|relief|dispatcher|operator|caller|phlebotomist|"
    r"coordinator|navigator|transporter|receptionist|biller|coder|reader|lactation|transport|anes)"
    r"|PGY-?\d|MS[1-4]|A?DON|AOD|MOD|NM|[Rr]ep|[Aa]sst|RN|LPN|LVN|MA|CMA|CNA|PCA|PCT|UC|SW|CM|RD|RPh|"
    r"PharmD|CRNA|EMT(?:-[BP])?|RT|RRT|SLP|NP|PA|MLT|MLS|CHW)"
)
_DOES: Final = (
    r"(?:[ ](?i:at[ ]bedside|here|to|aware|notified|consulted|paged|updated|on|is|was|will|working|roomed|"
    r"verified|"
    r"and|in|for|off|x[ ]?\d|present|saw|seeing|following|called|assisted|assisting|agrees|states|reports|"
    r"informed|"
    r"from|until|till|with|taught|did|drew|started|placed|gave)(?![\w-])|[ ]?[/;&+,][ ]?(?![\w]{4})|[ ]w/)"
)
_BEHIND_ROLE: Final = re.compile(
    rf"(?<![\w/-]){_ROLE}[ ]?[:#(]?[ ]{{0,2}}(?<=[ :(])(?P<one>{_XX})"
    rf"(?:(?:,[ ]|[ ]?[/&+][ ]?|[ ]and[ ])(?P<two>{_XX}))?(?![\w'’&-])"
    rf"(?={_END}|{_STAMP}|{_DOES}|\))"
)
# At the end of what somebody wrote, with a degree or with its day and time: "Left tilt. KO RN".
_SIGNED: Final = re.compile(
    rf"(?:(?<=[A-Za-z\d)%][.!?;,][ ])|(?<=[.!?;:)][ ][ ])|(?m:^)[ \t]{{0,4}})[-–—~/(]{{0,2}}[ ]?"
    rf"(?P<one>{_XX})(?:,?[ ](?:RN|LPN|LVN|CMA|CNA|PCT|PCA|NP|PA-C|MLT|CRNA|PharmD|RPh|"
    rf"EMT(?:-[BP])?)(?![\w-])\)?"
    rf"(?=[.;,]?{LINE_END}|[.;][ ]|[ ]{{2}}|[ ](?:{TIME}|{DAY}))"
    rf"|(?=[ ]{{1,2}}(?:{DAY})(?:[ ,@]{{1,3}}(?:{TIME}))?{LINE_END})"
    rf"|(?=[ ](?:@|at)[ ]?(?:{TIME}){LINE_END}))"
)
# Behind what offices do with papers and calls, before the day: "Referral faxed KO 11/14".
_OFFICE: Final = re.compile(
    r"\b(?i:faxed|scanned|mailed|sent|called|notified|aware|results?|noted|reviewed|agree|accurate|done|"
    r"error|"
    r"entry|addendum|correction|created|closed|completed|check(?:ed)?|lm|lmom|lvm|vm|understanding|updated?|"
    r"verified|entered|signed|edited|edit|filed|scheduled|refilled|approved|denied|pended|posted|received|"
    r"ordered|dispensed|given|injected|drawn|accessed|flushed|hung|turned|submitted|refill|qa|qc|r/s|"
    r"no[ ]show|made|"
    r"recall|letter|ltr|sim|msg|initials?)"
    rf"[ ]?[:,.-]?[ ](?P<one>{_XX})(?=[ ,]{{1,2}}(?:@[ ]?)?(?:{TIME}|{DAY})(?!\d)|[ ]?:[ ]|"
    rf",?[ ]{DEGREE}|[ ](?:[LR]|left|right|via)[ ])"
)
# The same at a line's end, where neither an order nor a result is done.
_DONE: Final = re.compile(
    r"\b(?i:faxed|scanned|mailed|notified|aware|noted|reviewed|agree|accurate|done|error|entry|addendum|"
    r"correction|"
    r"lm|lmom|lvm|checked|chk|ck'd|updated|verified|entered|signed|co-?sign(?:ed)?|edited|filed|scheduled|"
    r"refilled|"
    r"approved|posted|counseled|recall|made|rec'd|paged[ ]x\d|taken[ ]well|(?:msg|letter|ltr)[ ](?:sent|"
    r"mailed))"
    rf"[ ](?P<one>{_XX})(?=[.]?{LINE_END})"
)
# What somebody does, at the head of a sentence, with its object where a thing can have it done to it.
_SUBJECT: Final = re.compile(
    rf"(?:(?m:^)[ \t]{{0,4}}|(?<=[a-z\d)][.;][ ]))(?P<one>{_XX})(?=,?[ ](?i:please|pls|can[ ]you|"
    rf"could[ ]you|at[ ]bedside|"
    r"(?:in|here)[ ]to[ ]see|says|attended|participated|wants|asks|asked|spoke|"
    r"ordered[ ](?-i:[A-Z]\w*)|rec'd[ ](?-i:[A-Z]\w*)|recommends|updated[ ](?:family|pt|patient|daughter|son|"
    r"wife|husband|mother)|"
    r"called[ ](?:pt|patient|family|back|to|for|with|re|dr|md|pharmacy|lab|daughter|son))\b)"
)
_AWAITED: Final = re.compile(
    rf"\b(?i:pending|await(?:ing|s)?|appreciate|following)[ ](?P<one>{_XX})(?:['’]s)?"
    r"(?=[ ](?i:recs?|recommendations|review|input|eval|sign-?off|approval|ok|call|reply)\b)"
)
_OF_FAMILY: Final = re.compile(
    r"\b(?i:sibling|sister|brother|son|daughter|dtr|child|twin(?:[ ][AB])?|baby|client|participant|peer|"
    r"roommate|"
    rf"wife|husband|mother|father|mom|dad)[ ]\(?(?P<one>{_XX})"
    r"(?=[ ]\(\d|\)[ ]at|[ ](?i:attended|participated|at[ ]bedside|present|states|reports|called|visiting|"
    r"drove)\b|[ ]born)"
)
LIST: Final = re.compile(
    r"(?<![\w-])(?i:team(?:[ ][A-Z\d])?|present|attendees|participants|in[ ]attendance|IDT(?:[ ]present)?|"
    r"scrubbed|crew|"
    r"staff|rounding|huddle|members|conference|care[ ]conf)"
    rf"[ ]?:?[ ]{{1,2}}(?P<list>{_XX}(?:,?[ ]{DEGREE})?(?:(?:[ ]?[,;/&+][ ]?|[ ]and[ ]|"
    rf"[ ]){_XX}(?:,?[ ]{DEGREE})?){{1,7}})"
    rf"(?=[.;]?{LINE_END}|[.;][ ])"
)
OF_LIST: Final = re.compile(rf"(?:\A|(?<=[ ,;/&+]))(?!{DEGREE}){_XX}\b")
_MARKED: Final = re.compile(
    rf"(?<![\w{{}}<>])[_{{<*]{{1,3}}(?P<one>{_XX})[_}}>*]{{1,3}}(?=[ .]{{0,2}}{LINE_END})"
)
_STARTS: Final = (
    r"(?:pt|patient|spoke|called|call|lm|lvm|left|walked|ambulated|turned|assisted|repositioned|resting|"
    r"sleeping|"
    r"awake|up|back|returned|in|family|daughter|son|wife|husband|mother|bath|pain|mom|notified|gave|given|"
    r"received|"
    r"assumed|report|resumed|refused|voided|offered|family|dressing|foley|iv|meds?|vs|vss|assessed|rounded)\b"
)
_ENTRY: Final = re.compile(
    rf"(?m:^)[ \t*>•-]{{0,6}}(?:"
    rf"[(\[]?(?P<dashed>{_XX})[)\]]?[ ]?(?:[-–—)\]][ ]?|[ ](?:{TIME})[ :,-]{{1,3}})(?i:{_STARTS})"
    rf"|(?:(?:{DAY})[ ,]{{1,2}})?(?:(?:{TIME})|"
    rf"(?:{DAY}))[ ,;|-]{{1,3}}[(\[]?(?P<timed>{_XX})[)\]]?[ ]?[-:–]?[ ](?i:{_STARTS}))"
)
_NOTE_OF: Final = re.compile(
    rf"\b(?i:see|per|read)[ ](?P<one>{_XX})(?:['’]s)?[ ](?=(?i:notes?|addendum|eval|message|msg)\b)"
)
_PER: Final = re.compile(
    rf"(?:(?m:^)|(?<=[.;,] )|\b(?i:ok|okay|hold|held|stop(?:ped)?|resume|start|changed|clear|cleared|"
    rf"approved|and|now) )"
    rf"(?:[Pp]er|PER)[ ](?P<one>{_XX})(?=[,;:.]|[ ](?i:ok|okay|to|no|will|at|may|hold|give|start)\b|"
    rf"{LINE_END})"
)
# A lab's or a service's member in brackets: "Lab (KO) called", "Auth pending (KO working on it)".
_BRACKET: Final = re.compile(
    rf"\((?P<one>{_XX})(?:,?[ ]{DEGREE})?(?=\)[ ](?:called|notified|aware|to|will|here|at|says|states|"
    rf"reports)\b"
    rf"|[ ](?:working|to|will|is|notified|aware|called|on)\b)"
)
_ASIDE: Final = re.compile(rf"\((?P<one>{_XX})(?:,?[ ]{DEGREE})?(?=\),[ ])")
# Several in a line, each behind its time, its shift or its step: one alone would prove nothing.
_TIMED: Final = re.compile(
    rf"(?<![\d/.:-])(?:{TIME})[ ](?:[A-Z]{{1,2}}[ /])?[(]?(?P<one>{_XX})(?=\)?(?:[ ]?[,;/|.]|"
    rf"[ ]{{1,3}}\d{{3,4}}\b|{LINE_END}))"
)
_BEFORE_TIME: Final = re.compile(
    rf"(?<=[a-z\d)][ ])(?P<one>{_XX})(?=[ ](?:{TIME})(?:[,;.|]|[ ]{{2}}|{LINE_END}))"
)
STEP: Final = re.compile(
    rf"(?:(?m:^)|(?<=[ |;,/(:]))(?i:on|off|days?|nights?|eves?|evenings?|am|pm|7a-7p|7p-7a|7-3|3-11|11-7|"
    rf"(?:day|night|am|pm|1st|2nd|first|second|other)[ ](?:RN|nurse|tech|shift|check)|off-?going|on-?coming|"
    rf"embedded|cut|stained|coverslipped|sorted|washed|packed|sterilized|primed|given|changed|read|drawn|"
    rf"set[ -]?up|"
    rf"verified|checked|hung|spiked|ordered|prepared|mixed|labell?ed|delivered|opened|closed|{_ROLE})"
    rf"[ ]?:?[ ]{{1,2}}(?P<one>{_XX})(?=[ ]{{2}}|[ ]?[,;/|.)]|[ ](?i:on|off)[ ]|{LINE_END})"
)
# Two who did it together, where a line or a sentence ends.
_PAIR: Final = re.compile(
    rf"(?:[a-z\d.)%][ ]|[(])(?P<one>{_XX})/(?P<two>{_XX})(?=\)?(?:[.;]?{LINE_END}|[.;][ ]))"
    rf"|(?<=[a-z][ ])\((?P<first>{_XX}),[ ](?P<last>{_XX})\)"
    rf"|\b(?i:1st|first)(?:[ ][a-z]+)?[ ](?P<early>{_XX}),[ ](?i:2nd|"
    rf"second)(?:[ ][a-z]+)?[ ](?P<late>{_XX})(?![\w-])"
)
# In small letters, at the end of a line or before its day.
SMALL: Final = re.compile(
    r"(?:\b(?P<deed>lm|lvm|lmom|aware|faxed|noted|called|done|sent|per|by|rn|ma|notified|filled|refilled|"
    r"reviewed|"
    r"signed|informed|advised|scheduled|mailed|typed|understanding|given)[.,;]?[ ](?:[-/~(][ ]?)?|"
    r"[a-z]{3}[.,;)]?[ ][-/~(]?[ ]?)"
    rf"(?P<small>[a-z]{{2,3}})(?=\)?[.]?{LINE_END}|[ ](?:{DAY}){LINE_END})"
)
# Where hardly anything but a person stands, where one may, and what counts only several times in a line.
SURE: Final = (
    _BY,
    _WITH,
    _BEHIND_ROLE,
    _SIGNED,
    _OFFICE,
    _PER,
    _BRACKET,
    _NOTE_OF,
    _DONE,
    _SUBJECT,
    _OF_FAMILY,
)
LIKELY: Final = (_ENTRY, _PAIR, _AWAITED, _MARKED, _ASIDE)
ROWS: Final = (_TIMED, _BEFORE_TIME, STEP)
