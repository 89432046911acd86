"""What stands before and behind a name in clinical notes, and how much it says that a name stands there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from curbside_deidentification.recognisers.writing.names import CREDENTIAL

_KIN: Final = """
wife husband spouse partner fiance fiancé fiancee fiancée son daughter mother father mom dad mum brother sister aunt
uncle niece nephew cousin grandmother grandfather grandson granddaughter grandparent stepson stepdaughter stepmother
stepfather roommate neighbor neighbour friend girlfriend boyfriend caregiver caretaker guardian son-in-law
daughter-in-law mother-in-law father-in-law brother-in-law sister-in-law twin sibling grandma grandpa godmother
godfather friends brothers cousins nieces nephews boss sponsor proxy surrogate daughters sons sisters brothers ex-wife ex-husband widow widower fiancee's parent parents kids children
""".split()  # noqa: SIM905
# Who may stand before a name without a colon: "home nurse Joy", "PCP Rose Banks".
_STAFF: Final = """
nurse rn lpn cna resident intern fellow surgeon attending physician provider doctor pcp oncologist cardiologist
neurologist nephrologist urologist pulmonologist gastroenterologist endocrinologist rheumatologist dermatologist
psychiatrist psychologist hematologist ophthalmologist obstetrician gynecologist pediatrician internist hospitalist
intensivist radiologist pathologist anesthesiologist orthopedist podiatrist dentist therapist counselor pharmacist
dietitian nutritionist technician technologist tech aide sitter chaplain interpreter manager worker coordinator
navigator assistant secretary clerk scribe transcriptionist transport transporter paramedic medic officer midwife
doula specialist consultant np pa crna sonographer phlebotomist supervisor director preceptor student witness
caller translator receptionist sw cm asst cytotech sonographer atty medic operator relief crew team fob ma staff precepting scheduler liaison advocate attorney lawyer teacher employer landlord client
""".split()  # noqa: SIM905
_LABELS_ONLY: Final = """
name; last name; first name; middle name; maiden name; full name; patient name; pt name; family name; given name;
preferred name; legal name; former name; surname; forename; alias; aliases; aka; a.k.a; name of patient; patient's name;
resident name; member name; subscriber name; insured name; guarantor name; provider name; physician name; contact name;
subscriber; insured; guarantor; policy holder; policyholder; insured's name; emergency contact; next of kin; nok; hcp;
contact; contact person; poa; hcpoa; dpoa; health care proxy; healthcare proxy; health care agent; power of attorney;
surgeon; surgeons; primary surgeon; assistant; assistants; first assistant; second assistant; assistant surgeon; co-surgeon;
attending; attending physician; attending surgeon; attending md; attending provider; attending doctor; atn dr; adm dr;
referring; referring physician; referring provider; referring md; referring doctor; ref dr; ref phys; ordering; ordering physician;
ordering provider; ordering md; ordering doctor; ord dr; ord phys; requesting; requesting physician; requesting provider;
requesting doctor; consulting; consulting physician; consulting provider; consultant; consultants; admitting; admitting physician;
admitting provider; admitting md; primary care; primary care physician; primary care provider; primary physician; family physician;
family doctor; pcp; pmd; pcp name; submitting physician; submitting; submitted by; verified; released; resulted; finalized; performing physician; performing provider;
supervising physician; supervising provider; treating physician; treating provider; responsible physician; responsible provider;
discharging physician; dictating physician; dictating provider; dictator; interpreting physician; interpreting radiologist; reading physician;
reading radiologist; radiologist; pathologist; cytotechnologist; anesthesiologist; anesthetist; anaesthetist; anesthesia provider; crna;
anesthesia by; operator; supervisor; preceptor; crew; relief; medic; peds; team; fob; father of baby; verbal order; order; physician; provider; providers; doctor; clinician; md; np; pa; rn; lpn; cna; nurse; primary nurse; charge nurse; triage nurse; circulating nurse;
circulator; scrub nurse; scrub tech; scrub; scrub person; resident; senior resident; chief resident; fellow; intern; hospitalist; technologist; technician; tech; sonographer; therapist;
physical therapist; occupational therapist; speech therapist; respiratory therapist; pharmacist; dietitian; case manager; care manager; social worker;
author; authored by; editor; co-author; scribe; scribed by; transcriptionist; transcriber; typist; witness; witnesses; witnessed by; witness name; interpreter; caller; informant; historian;
source; spoke with; spoke to; person calling; called by; reported to; reported by; notified; caller name; recipient; sender; sent by; from; to; copy to; copies to;
dr; by; asst; asst surgeon; child; infant name; teacher; gross by; grossed by; dictated by; dict by; signed by; electronically signed by; e-signed by; cosigned by; co-signed by; transcribed by; typed by; reviewed by; verified by; entered by; prepared by;
prepared for; performed by; read by; ordered by; requested by; referred by; interpreted by; attested by; authenticated by; approved by; finalized by; released by;
resulted by; collected by; drawn by; received by; completed by; documented by; recorded by; administered by; given by; seen by; evaluated by; examined by; updated by;
last edited by; edited by; filed by; created by; initiated by; accompanied by; brought in by; responded by; added by; assigned to; routed to; sent to; forwarded to;
electronically signed; signed; signature; signatures; e-signature; signature of patient; patient signature; nurse signature; provider signature; physician signature; printed name; print name;
patient/guardian; responsible party; relative; parent; parent/guardian; legal guardian; guardian; mother's name; father's name; spouse name; spouse's name; husband's name; wife's name;
driver; donor; recipient name; baby; infant; newborn; user; username; user name; ordering clinician; clinician name; cardiologist; oncologist; neurologist; nephrologist; urologist;
pulmonologist; gastroenterologist; endocrinologist; psychiatrist; obstetrician; pediatrician; internist; dermatologist; therapist name; counselor; employer contact; certified nurse midwife; midwife
"""
_PATIENT: Final = "patient; pt; client; member; re; regarding; in re; attn; attention; resident; subject"
_WEAK_LABELS: Final = "cc; bcc; d/w; c/o; thru; mfr"
_SERVICES: Final = """
gi; cards; cardiology; neuro; neurology; nephrology; renal; surgery; ortho; psych; psychiatry; onc; oncology; heme; hematology; pulm; pulmonary; ccm; medicine;
peds; urology; uro; ent; endo; rheum; derm; ophtho; ob; gyn; palliative; ir; pmr; pt; ot; slp; sw; nutrition; pharmacy; anesthesia; vascular; icu; team; plastics; neurosurgery; nsgy
"""
_SIGN_OFF: Final = """
sincerely; sincerely yours; yours sincerely; yours truly; very truly yours; regards; best regards; kind regards; warm regards; with kind regards;
respectfully; respectfully submitted; thank you; thanks; cordially; best; warmly; best wishes; yours faithfully; with regards; many thanks; dear; hi; hello; cheers; take care; with gratitude; sincerely,
"""
_STRONG: Final = """
spoke with; spoke to; spoken with; spoken to; talked with; talked to; speak with; speaking with; speak to; speaking to; s/w; d/w; c/w; discussed with; discussed w/; reviewed with;
met with; conversation with; discussion with; meeting with; conference with; phone call with; call with; conferred with; consulted with; coordinated with;
call placed to; call to; called to; calls to; phone call to; telephone call to; call from; calls from; called from; message from; message for; phone call from; telephone call from; voicemail from; voicemail for; message left for; left message for;
letter from; letter to; email from; email to; fax from; faxed to; attention; request from; order from; orders from; verbal order from; telephone order from; order per; orders per;
report from; report to; report given to; report called to; received from; handoff to; handoff from; hand-off to; sign-out to; sign out to; signed out to; endorsed to; relieved by; care transferred to; assumed care from;
results called to; results given to; called and spoke to; called and spoke with; paged; notified; contacted; informed; updated; telephoned; texted; reached;
signed by; electronically signed by; cosigned by; co-signed by; dictated by; transcribed by; typed by; read by; interpreted by; verified by; attested by; authenticated by; entered by; reviewed by;
seen by; evaluated by; examined by; followed by; managed by; performed by; treated by; prescribed by; ordered by; referred by; accompanied by; brought in by; brought by; escorted by; assisted by; supervised by; staffed with; staffed by; seen with; scribed by; witnessed by;
documented by; cared for by; requested by; approved by; administered by; collected by; drawn by; recorded by; interviewed by; driven by; found by; cosigner; signed; on behalf of; care of; c/o; attn; to certify that; certify that; instructions for; summary for; summary on; note on; note for; consultation on;
report on; letter regarding; regarding; concerning; named; name is; called; known as; goes by; nicknamed; referring; i am; this is; my name is; introduced as; thanks to; thank you; dear;
under the care of; service of; the care of; referral from; referral to; followup with; follow-up with; follow up with; follow-up by; appointment with; appt with; appt. with; visit with; f/u with; fu with; established with; return to see; see; sees; seeing; saw; will see; asking; for referring; for seeing; referring;
lives with; resides with; living with; married to; engaged to; divorced from; sister of; brother of; wife of; husband of; mother of; father of; son of; daughter of; parent of; guardian of; niece of; nephew of; friend of; spouse of; aunt of; uncle of; cousin of; partner of; granddaughter of; grandson of; grandmother of; grandfather of; neighbor of; caregiver of; widow of;
labeled; labelled; designated; patient; pt; mr; mrs; ms; witness; nurse is; doctor is; physician is; provider is; surgeon is; pcp is; therapist is; manager is; worker is; proxy is; contact is; doctor was; surgeon was; attending was; physician was; nurse was; is named; was named; here is; phq for; chart of; records of; copy to; sent to; routed to; forwarded to; cc'd to; assigned to; sign for; read to;
gave report to; received report from; report received from; hand off to; admitted to dr; per dr; team with; thank; we thank; asked; have asked; ask for; asks for; told; advised; i; baby; babygirl; babyboy; twin; twins; infant; child; little; named after; handed to; given to; appreciate; rec'd; rec'd from; rcvd from; baby boy; baby girl; boy; girl; obtained from; per dr
"""
# Done by a person: "intubated by Osgood".
_DONE: Final = """
intubated extubated delivered notified assisted admitted consented counseled counselled interviewed greeted raised visited escorted transported
relieved replaced inserted placed removed repaired closed cleared pronounced triaged dispensed checked counted instructed taught educated
called contacted informed fed helped staffed precepted proctored scanned adopted accepted recommended suggested answered cosigned countersigned
""".split()  # noqa: SIM905
_WEAK: Final = """
per; by; w/; via; admit to; admitted to; transfer to; ok per; regarding; transport; says; states; said; stated
"""
# What stands before anything: it helps a frequent given name with a surname.
_SLIGHT: Final = "with; from; to; for; of; and; that; then; when; while; because; until; if; but; or; today; note; after"
_DETERMINERS: Final = "a; an; the; this; that; these; those; his; her; our; their; my; your; no; any; each; some; left; right"


def _phrases(listed: str) -> Iterable[str]:
    return (phrase.strip() for phrase in listed.replace("\n", " ").split(";"))


def _table(*weighed: tuple[float, Iterable[str]]) -> MappingProxyType[str, float]:
    return MappingProxyType({phrase: weight for weight, phrases in weighed for phrase in phrases if phrase})


# With a colon, an equals sign, a bar or a column between.
_LABELS: Final = _table(
    (1, _phrases(_WEAK_LABELS)), (2, _phrases(_PATIENT)), (2, _KIN), (3, _STAFF), (3, _phrases(_LABELS_ONLY))
)
# With a space between.
_CUES: Final = _table(
    (-2, _phrases(_DETERMINERS)),
    (0.5, _phrases(_SLIGHT)),
    (1, _phrases(_WEAK)),
    (1.5, _STAFF),
    (2, _KIN),
    (2, _phrases(_STRONG)),
    (2, (f"{done} by" for done in _DONE)),
)
# With a comma, a bracket or a dash between: an apposition.
_APPOSED: Final = _table(
    (1.5, _phrases(_SERVICES)),
    (1, _STAFF), (2, _KIN), (2, _phrases(_PATIENT)), (2, ("male", "female", "man", "woman", "gentleman", "lady", "boy", "girl"))
)
# A label before a colon, a degree behind a name at a line's end.
_DEGREES: Final = frozenset(("md", "np", "pa", "rn", "lpn", "cna", "crna"))
_SIGNED: Final = _table((2, _phrases(_SIGN_OFF)))
# A label that says nothing of a person: "Findings:", "Peer to peer:".
ANY_LABEL: Final = 0.25
_FAR: Final = 44
_LAST_LINE: Final = re.compile(r"^[^\r\n]{1,30}\s*\Z")
_CUE_WORD: Final = re.compile(r"[^\W\d_][\w'/’.-]*")
_OPENING: Final = " \t\r\n\"“‘'([*_<>"


def before(text: str, start: int) -> float:
    """What stands before `start`, from 0 to 3."""
    chunk = text[max(0, start - _FAR) : start]
    left = chunk.rstrip(_OPENING)
    gap = chunk[len(left) :]
    sign = left[-1:]
    if sign and sign in ":=,|–—-#~;":
        left = left[:-1].rstrip(" \t*_)")
    elif "\n" in gap or "  " in gap or "\t" in gap:
        sign = "\n"
    else:
        sign = "(" if "(" in gap else ""
    if not left or left[-1] in "!?]}":
        return 0
    if sign in ("-", "–", "—", "~") and not gap.strip(" ") and left.endswith(("\n", "\r")):
        # A name behind a dash ends a note; a dash and a space begins any entry of a list.
        return 0 if gap else 0.75 if _LAST_LINE.search(text, start, start + 40) is None else 1.5
    words = [word.rstrip(".") for word in _CUE_WORD.findall(left.casefold())[-3:]]
    if not words or (left[-1] == "." and words[-1] not in ("pt", "attn", "appt", "dr", "phys")):
        return 0
    if not left.casefold().rstrip(".").endswith(words[-1]):
        return 0
    phrases = [" ".join(words[-count:]) for count in range(len(words), 0, -1)]
    if sign in (":", "=", "|") and sign:
        return _heaviest(phrases, _LABELS) or ANY_LABEL
    if sign == "\n":
        # A column or the next line: a label by itself, or a sentence that is wrapped there.
        label = min(2, _heaviest(phrases, _LABELS)) if words[-1] not in _DEGREES else 0
        return max(label, _heaviest(phrases, _CUES) if gap.count("\n") == 1 else 0, _heaviest(phrases, _SIGNED))
    if sign in (",", "(", "–", "—", "-"):
        signed = _heaviest(phrases, _SIGNED) if sign == "," else 0
        return max(signed, _heaviest(phrases, _APPOSED))
    return _heaviest(phrases, _CUES) if not sign else 0


def _heaviest(phrases: Iterable[str], table: MappingProxyType[str, float]) -> float:
    """The weight of the longest of `phrases` that `table` has."""
    return next((table[phrase] for phrase in phrases if phrase in table), 0)


_NUMBER: Final = (
    r"(?:\d{1,3}|(?:(?:twen|thir|for|fif|six|seven|eigh|nine)t(?:y|een)|eighteen|one\s?hundred)[a-z -]{0,12}?)"
)
_AGE: Final = (
    r"(?:,?\s{1,2}(?:(?:is|was)\s(?:now\s)?(?:an?\s)?(?:[a-z,-]{2,14}\s){0,3}?|(?:an?|age|aged)\s(?:[a-z,-]{2,14}\s){0,2}?)|[,(]?\s?[(]?\s?(?<=[ (,]))"
    rf"{_NUMBER}[\s-]{{0,2}}(?:y(?:ea)?rs?\b|y\.?\s?/?o\b|yof|yom|y\b|(?:month|mo|week|wk|day)s?[\s-]old\b|m/o|d/o|[mf]\b)"
)
_ID: Final = (
    r"\s{0,4}[(,/|-]{0,2}\s{0,4}(?:\(?(?:MRN?|M\.R\.|DOB|D\.O\.B|MR\s?#|med(?:ical)?\s(?:rec(?:ord)?|record)\s?(?:#|no|number)|"
    r"SSN|date\sof\sbirth|born\b|acct|unit\s?(?:no|#)|UNIT\s?NUMBER|\#\s?\d\d|birthdate|b\.\s?\d|FIN\b|chart\s?(?:#|no)))"
)
_SAYS: Final = (
    r",?\s(?:(?:is|was)\s)?(?:states?|stated|says?|said|denies|denied|complains|c/o|returns?|returned|presents?\b|presented|"
    r"rest(?:ing|ed)|sleeping|slept|ambulat(?:ed|es|ing)|verbali[sz]\w{1,3}|request\w{1,3}|phoned|agree[sd]?|"
    r"lives|liv(?:ed|ing)\swith|at\s(?:the\s)?bedside|in\sto\svisit|in\sroom|visiting|feels|felt|doing|tolerat(?:ed|es|ing)|refus(?:ed|es|ing)|awake|"
    r"notified|updated|aware|alert|family\s(?:meeting|conference|aware|updated|notified|present|requests)|saw|plays|eats|walks|crawls|smiles|asked|asks|wants|thinks|understands|understood|arrived|underwent|will\ssee|will\sfollow|to\s(?:follow|see|call)\b|"
    r"seen\s(?:in|by|at|today)|brought|admitted|discharged|transferred\s(?:to|from)|present\b|the\s(?:healthcare|health\scare)|"
    r"an?\s(?:pleasant|delightful|well\sknown|retired|widowed|married|single)\b|known\sto|who\s(?:is|was|has|had|says|states|agrees|can|lives|will)|"
    r"accompanied|appears|reports|reported\sto|reported\sthat|tolerating|calling|called\b|calls|"
    r"dictating|speaking|spoke|visits|visited|helps|helped|plans|planned|ate|drank|attended|participated|endorses|endorsed|expressed|identified|prefers|enjoys|drives|drove|born|raised|wishes|hopes|taught|greeted|joined|scrubbed|recs|amb|did\swell|here\b|educated|instructed|on\scall|came|went|declined|consented|signed|wrote|ordered|recommended|assisted|assessed)(?!\w)"
)
_NUMBERED: Final = (
    r",?\s{1,3}(?:pager\b|beeper\b|p\.?\s?#?\d{3,5}\b|x\d{3,5}\b|ext\b|\#?\d{3}[-.]\d{3}[-.]\d{4}|\(\d{3}\)|tel\b|phone\b|cell\b|(?:NPI|DEA|lic(?:ense)?)\b|PGY)"
)
_STRONGLY: Final = re.compile(
    rf"(?P<age>{_AGE})|(?P<id>{_ID})|(?P<degree>\s?,?\s{{0,3}}\(?(?-i:{CREDENTIAL}|DO|MD|NP-C|FNP(?:-[A-Z]{{1,2}})?|AGNP|CMA|RMA|MA|CNA|LVN|RPh|CCC-SLP|OTR/?L?|RRT|DVM|"
    rf"MSN|EMT(?:-[PB])?|BS|RDMS|RVT|CST|ACNP|PGY-?\d)(?!\w))|(?P<numbered>{_NUMBERED})|"
    rf"(?P<says>{_SAYS})|(?P<record>:[ ]?\d{{1,2}}[-/]\d|\s{{1,3}}[A-Z]{{0,3}}\d[\d-]{{4,}})|(?P<kin>\s?[,(]\s?(?:(?:his|her|the|our|my|your|an?|pt'?s?|patient's)\s)?(?:home\s|primary\s|charge\s)?(?:{'|'.join((*_KIN, *_STAFF))})\b)",
    re.IGNORECASE,
)
_WEIGHTS: Final = MappingProxyType({"age": 3.0, "record": 1.5})
_WEAKLY: Final = re.compile(
    r"['’][sS]\b|\s(?:and|AND)\s(?=[A-Z])|,?\s(?i:is|has|had|was|will|did|does|took|came|went|needs|were|would|should|can|continues|remains|received|used|performed|gave|demonstrated|met)\b|[\"”],|,(?=[^\s\d])|\s\((?:[A-Z]{2,4})\)|\s?/\s|\s(?:at|AT)\s\d{1,2}:?\d\d|\s{2,}\S|\s?\d{1,2}/\d{1,2}|\s?[\"”]?[,;]?\s?[\r\n]|\s?$"
)


def behind(text: str, end: int) -> float:
    """What stands behind `end`, from 0 to 3."""
    if text[end : end + 1] == "." and text[end + 1 : end + 2] in ("", " ", "\n", "\r"):
        return 0.5
    match = _STRONGLY.match(text, end)
    if match is not None:
        return _WEIGHTS.get(match.lastgroup or "", 2)
    return 1 if _WEAKLY.match(text, end) else 0
