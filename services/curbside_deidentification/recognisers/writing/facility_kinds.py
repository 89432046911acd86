"""Kinds of places of care, as names of facilities end with them."""

from __future__ import annotations

import re
from typing import Final

# Kinds of places of care that end a name. A name before one of them needs little more to be one.
_CARE: Final = (
    r"(?:hospitals?|hosp|medical[ ](?:center|centre|group|associates|campus|college|ctr|pavilion|arts|clinic|"
    r"specialists|partners|office|plaza|practice)|med(?:ical)?\.?[ ]c(?:en)?te?r|infirmary|clinics?|"
    r"poly-?clinic|"
    r"health[ ]?care(?:[ ](?:system|center|centre|services|network|group|associates|partners))?|"
    r"health[ ](?:system|center|centre|network|partners|clinic|services|department|campus|plaza|alliance|"
    r"group)|"
    r"nursing[ ](?:home|facility|center|centre)|(?:skilled[ ]nursing|care|"
    r"long[ -]term[ ]care)[ ](?:facility|center|"
    r"centre|home)|convalescent(?:[ ](?:home|hospital|center))?|(?:assisted|senior|independent)[ ]living|"
    r"memory[ ]care|"
    r"retirement[ ](?:home|community|village|center)|rehab(?:ilitation)?[ ](?:center|centre|hospital|"
    r"institute|facility|"
    r"unit)|hospice|home[ ](?:health(?:[ ]?care)?|care)(?:[ ](?:services|agency))?|pharmacy|drug[ ]?stores?|"
    r"apothecary|laborator(?:y|ies)|diagnostics?(?:[ ](?:laborator(?:y|ies)|center|imaging|services))?|"
    r"(?:surgery|surgical|surgicenter|endoscopy|dialysis|kidney|cancer|heart|stroke|breast|eye|vision|"
    r"imaging|birth|"
    r"birthing|trauma|burn|spine|pain|sleep|infusion|wellness|recovery|treatment|counseling|crisis|"
    r"women['’]?s|"
    r"urgent[ ]care|day[ ]surgery|rehab|fertility|vein|wound[ ]care|outpatient|ambulatory|community|"
    r"correctional)[ ]"
    r"(?:center|centre|institute|clinic|associates|specialists|group|services|facility|hospital)|"
    r"urgent[ ]care|"
    r"express[ ]care|(?:radiology|pathology|imaging|cardiology|surgical|surgery|neurology|urology|"
    r"oncology|orthop(?:a?e)dics?|"
    r"anesthesia|dermatology|nephrology|gastroenterology|pulmonary|eye|ent|allergy|primary[ ]care|"
    r"pediatric|pediatrics|"
    r"internal[ ]medicine|family[ ](?:medicine|practice|health|care)|ob[/-]?gyn|physician|vascular|heart|"
    r"retina|spine)"
    r"[ ](?:associates|group|partners|center|specialists|consultants|clinic|practice|physicians)|"
    r"family[ ](?:practice|medicine|health|physicians|care)|women['’]s[ ](?:health(?:[ ]?care)?|hospital|"
    r"care|clinic)|"
    r"institute|sanatorium|sanitarium|rehabilitation[ ](?:and|&)[ ]nursing|nursing[ ](?:and|"
    r"&)[ ]rehab(?:ilitation)?|"
    r"rehab|behavioral[ ]health|mental[ ]health|dialysis|vamc)"
)
# Kinds that are as often no place's: a speciality, a plain word. The name must then say that it is one.
_WEAK: Final = (
    r"(?:pediatrics|paediatrics|labs?|orthop(?:a?e)dics|dermatology|cardiology|oncology|urology|"
    r"neurology|nephrology|"
    r"gastroenterology|rheumatology|endocrinology|ophthalmology|pulmonology|psychiatry|podiatry|"
    r"ob[/-]?gyn|ent|obstetrics|"
    r"internal[ ]medicine|sports[ ]medicine|physical[ ]therapy|rehabilitation|imaging|radiology|health|"
    r"healthcare|care|"
    r"dental(?:[ ](?:care|group|arts))?|dentistry|optometry|optical|physicians|associates|specialists|"
    r"practice|surgical|"
    r"pavilion|center|centre|manor|lodge|villa|house|place|village|gardens|terrace|commons|court|pointe|"
    r"estates|"
    r"residence|residences|campus|medical|memorial|regional|community|general|university|college|school|"
    r"academy)"
)
KINDS: Final = re.compile(
    rf"(?=[A-Z])(?<![\w'’-])(?:(?P<care>(?i:{_CARE}))|(?P<weak>(?i:{_WEAK})))(?![\w'’-])"
)
MORE_KIND: Final = re.compile(
    r"[ ](?:(?:and|&|AND)[ ])?(?i:nursing(?:[ ](?:center|home|facility))?|"
    r"rehab(?:ilitation)?(?:[ ](?:center|hospital))?|"
    r"hospital|clinic|center|system|campus|pavilion|group|associates|inc|llc|llp|pc|pllc)\b(?![.][a-z])"
)
# What of a stay or of tests goes by a kind of place: "BRIEF HOSPITAL COURSE", "Admission Laboratory Data".
NO_KIND: Final = re.compile(
    r"[ ](?i:courses?|stay|days?|admissions?|findings|data|results?|studies|study|tests?|testing|values?|"
    r"work-?up|bed|"
    r"discharge|visits?|records?|personnel|staff|evaluation|examination|imaging|setting|acquired|policy|"
    r"protocol|"
    r"formulary|issues?|problems?|status|performance|trials?|scale)\b|[ ]?:"
)
ACRONYMS: Final = frozenset("ob/gyn ob-gyn obgyn ent vamc".split())  # noqa: SIM905
