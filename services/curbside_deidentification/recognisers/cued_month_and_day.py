"""Month and day behind what happens on a day: "next visit 5/5", "hearing 1/9". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.days import MONTH_DAY, NO_MEASURE, is_measured


class CuedMonthAndDay(PatternRecogniser):
    """Also in a note's title ("CARE CONFERENCE 8/5") and before a shift ("8/9 7p-7a"), where any day
    stands."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        r"(?:\b(?:[Nn]ext[ ](?:[a-z]{1,12}[ ]){1,2}(?:on[ ]|is[ ])?|(?i:hearing|court(?:[ ]date)?|"
        r"arraignment|audit|deadline|"
        r"review|reconsented|consented|scheduled|rescheduled|booked|(?:moved|pushed|extended)[ ]to|until|"
        r"till|thru|effective|eff|"
        r"expires?|last[ ](?:seen|dose|visit|fill|filled|worked|day|bm|period)|picked[ ]up|chat|huddle|"
        r"to[ ]scope|himself|herself|"
        r"transferred(?:[ ]to)?|interrogated|discharged|readmitted|moved|relapsed|quit|married|divorced|"
        r"arrested|released)"
        r"(?:[ ][A-Z][\w'’.-]{1,20}){0,4}[ :]{1,2}(?:on[ ]|for[ ]|by[ ])?)"
        r"|\b(?i:shot|vaccine|vaccinated|booster|covid|flu|tdap|avail(?:able)?|taken|notified|completed|"
        r"signed|obtained|collected|drawn|faxed|reported|"
        r"performed|dated|dictated|filed|"
        r"mailed|emailed|received|administered|diagnosed|injured|onset|DOL|DOI|DOS|LMP|EDC|"
        r"EDD)[ :]{1,2}(?:on[ ])?(?!1/[24]\b)"
        r"|(?<![\w./+-])(?!1/[24]\b)(?=[\d/]{3,5}[ ](?:study|CT|MRI|films?|exam|visit|note|labs|"
        r"cx|cultures?|echo|scan|biopsy|"
        r"bx|surgery|admission|admit|appt|appointment|clinic|US|CXR|XR|KUB|EKG|ECG|EEG|discharge|"
        r"by|fall|injury|event|level|draw|"
        r"colonoscopy|EGD|cath|angiogram|hearing|meeting|call|report|letter|incident|accident|MVC|"
        r"MVA|shift)\b)"
        r"|\b(?:MRI|CT|PET|CXR|[Ee]cho|[Ss]can|[Bb]iopsy|[Xx]-?rays?|US)(?:[ ][a-z]{3,12}){0,2}[ ]"
        r"(?=\d{1,2}/(?:1[1-9]|[23]\d)\b)"
        r"|\b[Oo]ut[ ]of[ ](?:the[ ])?[A-Z]{2,5}[ ]"
        r"|\b(?i:PICC|line|foley|catheter|drain|tube|IV|port|midline|trach)[ ](?i:from|since|placed|in|"
        r"changed)[ ]"
        r"|\b[Bb]y[ ](?:Podiatry|Cardiology|Neurology|Nephrology|Urology|Orthopedics|Ortho|Surgery|"
        r"Dermatology|Psychiatry|Radiology|Endocrine|Oncology|Pulmonary|Dietary|Nutrition|PT|OT|"
        r"ENT|GI|ID)[ ](?=[\d/]{3,5}[.,;])"
        r"|\b(?:HST|PSG|EEG|EMG|TTE|TEE|PFTs?|DEXA|[Cc]ath|[Cc]olonoscopy|[Mm]ammo(?:gram)?|Pap|"
        r"EGD|CBC|BMP|CMP|UA)[ ](?=[\d/]{3,5}[.,;:])"
        r"|\b[PpFf]/?[Uu](?:[ ][A-Z][\w'’-]{1,20}){1,3}[ ]"
        r"|\A\s{0,9}[A-Z](?:[A-Za-z:,/& -]|\d(?=[A-Z])){3,40}?[ ](?:-[ ])?(?=[\d/]{3,5}[ ]{0,3}(?:[\r\n]|"
        r"w/|:[ ]|[A-Z][\w'’-]{1,20}[ ]->|\Z))"
        r"|(?m:^)[ \t]{0,6}(?=[\d/]{3,5}[ ](?:\d{1,2}[ap]m?[ ]?[-–][ ]?\d{1,2}[ap]|(?:day|night|evening|"
        r"noc|AM|PM)[ ]?(?:shift)?:?\b)))"
        rf"(?P<phi>{MONTH_DAY}){NO_MEASURE}(?!-\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        return not is_measured(match.string, match.start("phi"))
