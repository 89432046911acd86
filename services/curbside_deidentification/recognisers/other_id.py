"""Any other identifying number behind its label. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.alternatives import by_initial
from curbside_deidentification.recognisers.writing.labels import LabelledId, labelled

# Plain words: with a colon behind them comes what is found, and only "number" or "#" makes them labels.
_NUMBERED = by_initial(
    r"path(?:ology)?|surg(?:ical)?\.?\ path(?:ology)?|cyto(?:logy)?|lab|exam|placer|filler|rx|prescription|"
    r"referral|trial|site|enrol?lment|randomi[sz]ation|staff|user|worker|transcription|voice|text|message|"
    r"police\ report|event|bar\ ?code|wristband|locker|access|surgical|request|appointment|appt|log|kit|"
    r"case|specimen|sample|order|study|job|doc(?:ument)?|dictation|report|claim|subject|acc|req|confirmation|"
    r"inmate|parolee|offender|detainee|booking|docket|badge|interpreter|screening"
)


class OtherId(LabelledId):
    """Any other unique identifying number, (R): accessions, cases, specimens, orders, claims, dictations."""

    category = Category.OTHER_ID
    score = 0.92
    pattern = labelled(
        r"accession|accn|requisition|worker(?:s'|'s|s)?\ comp(?:ensation)?(?:\ claim)?|confirmation|"
        r"escription\ document|locker|(?:valuables|property)\ (?:envelope|bag)|(?:meal|key|swipe)\ ?card|"
        r"pass\ ?code|"
        r"UNOS|OPTN|tracking|TID|DocID|JobID|VJN|extension=|"
        r"(?:(?<=\()|\b)ID(?=\s?[#:=|])|identifier(?=\s?[#:=|\"])|"
        rf"(?:{_NUMBERED})\.?\ ?(?:number|no\.?|num|nbr|id|identifier|\#)",
        r"case|specimen|sample|order|ref(?:erence)?|ID|study|file|ticket|job|doc(?:ument)?|dictation|dict|"
        r"report|rpt|conf|claim|subject|participant|acc|spec|path|slide|block|trans|see\ also|req|employee|"
        r"badge|donor|encounter|visit|incident|kit|graft|envelope|booking|docket|inmate|parolee|record|PIN|"
        r"requisition|loan|parcel|conference|meeting",
    )
