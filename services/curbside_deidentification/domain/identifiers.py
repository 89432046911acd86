"""Recognisers of numbers and addresses that name a person, a device or an account.

Authority for what must go: 45 CFR 164.514(b)(2)(i), letters (D) to (R). An identifier next to its label is
found by the label; one without a label only where its own format is unmistakable.
"""

from __future__ import annotations

import ipaddress
import re
from typing import ClassVar, Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

# Between a label and its value: "MRN: 1", "MRN# 1", "MRN number is 1", "MRN (1)". Bounded, so that a long
# row of dashes costs no time.
_JOIN: Final = (
    r"(?:\s{0,3}(?:\b(?:numbers?|num|no|nbr|id|is|was|listed as|on file)\b\.?|[#:=(.\-])){0,4}\s{0,3}"
)
# A weak label ("case", "order") is a plain word too: it counts only with a sign or "number" behind it.
_WEAK_JOIN: Final = r"\s{0,2}(?:(?:numbers?|num|no|nbr|id)\b\.?\s{0,2}[#:]?|[#:])\s{0,2}[#:]?\s{0,2}"
_VALUE: Final = (
    r"(?P<phi>\d{2,4}(?: \d{2,4}){1,3}(?![\w-])|#?[A-Za-z0-9]{1,24}(?:[-./_]?[A-Za-z0-9]{1,24}){0,6})"
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d")


def labelled(strong: str, weak: str = "") -> re.Pattern[str]:
    """A pattern for a value behind one of `strong` labels, or behind a `weak` one with a sign between."""
    branches = [rf"\b(?:{strong})(?![a-z]){_JOIN}"] + ([rf"\b(?:{weak}){_WEAK_JOIN}"] if weak else [])
    return re.compile(rf"(?:{'|'.join(branches)}){_VALUE}", re.IGNORECASE)


def digits(value: str) -> str:
    return "".join(character for character in value if character.isdigit())


class LabelledId(PatternRecogniser):
    """A value behind its label: it has three digits or more and is not a bare year."""

    score = 0.95

    def valid(self, match: re.Match[str]) -> bool:
        value = match["phi"]
        return len(digits(value)) >= 3 and not _YEAR.fullmatch(value)


class MedicalRecordNumber(LabelledId):
    """Medical record number, (H). No national format: found by its label."""

    category = Category.MRN
    pattern = labelled(
        r"MRN|MR\s?\#|medical\ record|med(?:ical)?\.?\ rec(?:ord)?s?|health\ record|EMR|EHR|"
        r"unit\ (?:number|no\.?)|"
        r"hospital\ (?:number|no\.?|id)|chart\ (?:number|no\.?|id|\#)|"
        r"(?:patient|pt)(?:'s)?\ ?(?:id|identifier|number|no\.|\#)",
        r"record|chart|hosp|unit",
    )


class SocialSecurityNumber(PatternRecogniser):
    """Social security number, (G). SSA, "Social Security Number Randomization", 2011. Numbers that were
    never issued go as well: in a report they are typing errors of real ones."""

    category = Category.SSN
    pattern = re.compile(
        r"(?<![\w-])(?P<phi>(?:\d{3}|[X*]{3})[-\u2010-\u2013 ](?:\d{2}|"
        r"[X*]{2})[-\u2010-\u2013 ]\d{4})(?![\w-])"
    )
    score = 0.97


class LabelledSocialSecurityNumber(LabelledId):
    """A whole or partial number behind its label: "SSN ending in 4321"."""

    category = Category.SSN
    pattern = re.compile(
        r"\b(?:SSN|SS\#|social\ security|social)(?:'s)?(?:\ (?:number|no\.?|num|"
        r"\#))?[\s:#(]{0,10}(?:is|ending(?:\ in|\ with)?|last\ (?:four|4))?"
        r"[\s:#(]{0,10}(?P<phi>[\dX*][\dX*\- ]{2,12}\d)",
        re.IGNORECASE,
    )


class Account(LabelledId):
    """Account numbers, (J), and the encounter numbers that billing keys on."""

    category = Category.ACCOUNT
    pattern = labelled(
        r"account|acct|a/c|CSN|FIN|encounter\ (?:number|no\.?|id|\#)|visit\ (?:number|no\.?|"
        r"id|\#)|invoice|billing\ (?:number|id)|"
        r"credit\ card|bank\ account|routing",
        r"encounter|visit|bill|claim",
    )


class HealthPlan(LabelledId):
    """Health plan beneficiary numbers, (I)."""

    category = Category.HEALTH_PLAN
    pattern = labelled(
        r"insurance(?:\ (?:plan|policy|card|member|group))?|policy(?:\ holder)?|health\ ?plan|"
        r"plan\ (?:number|no\.?|id|\#)|member(?:ship)?\ ?(?:id|number|no\.?|\#)|"
        r"subscriber|group\ (?:number|no\.?|id|\#)|medicare(?:\ (?:id|number))?|"
        r"medicaid(?:\ (?:id|number))?|HICN?|MBI|beneficiary|payer\ id",
        r"plan|member|group",
    )


class MedicareBeneficiaryId(PatternRecogniser):
    """Medicare Beneficiary Identifier, 11 characters. CMS, "Understanding the MBI format", 2024."""

    category = Category.HEALTH_PLAN
    pattern = re.compile(
        r"\b[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}\b"
    )


class License(LabelledId):
    """Certificate and licence numbers, (K); NPI and DEA numbers name the clinician."""

    category = Category.LICENSE
    pattern = labelled(
        r"licen[cs]e|lic\.?\ (?:no\.?|number|\#)|certificate|DEA|NPI|UPIN|driver'?s?\ licen[cs]e|passport",
        r"lic|cert|registration",
    )


class DeaNumber(PatternRecogniser):
    """DEA registration number with its check digit. 21 CFR 1301.13; DEA, "Validating DEA numbers"."""

    category = Category.LICENSE
    pattern = re.compile(r"\b[A-HJ-NPR-UX][A-Z9]\d{7}\b")

    def valid(self, match: re.Match[str]) -> bool:
        number = [int(digit) for digit in match[0][2:]]
        return (sum(number[0:6:2]) + 2 * sum(number[1:6:2])) % 10 == number[6]


class VehicleIdentification(PatternRecogniser):
    """Vehicle identification number with its check digit, (L). 49 CFR 565.15(c)."""

    category = Category.VEHICLE
    pattern = re.compile(r"\b[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}\b")

    _VALUES: ClassVar = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True))
    _WEIGHTS: ClassVar = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)

    def valid(self, match: re.Match[str]) -> bool:
        total = sum(
            weight * (int(character) if character.isdigit() else self._VALUES[character])
            for weight, character in zip(self._WEIGHTS, match[0], strict=True)
        )
        return "0123456789X"[total % 11] == match[0][8]


class LabelledVehicle(PatternRecogniser):
    """Plates and VINs behind their label, (L)."""

    category = Category.VEHICLE
    pattern = re.compile(
        r"\b(?:VIN|licen[cs]e\ plate|plate|tag)\s{0,2}(?:numbers?|no\.?|id)?\s{0,2}(?:[#:]|is|"
        r"of)\s{0,2}\#?(?P<phi>[A-Z0-9]{1,8}[- ]?[A-Z0-9]{1,17})\b",
        re.IGNORECASE,
    )
    score = 0.93

    def valid(self, match: re.Match[str]) -> bool:
        return bool(digits(match["phi"]))


class LabelledDevice(LabelledId):
    """Device identifiers and serial numbers, (M)."""

    category = Category.DEVICE
    pattern = labelled(
        r"serial(?:\ (?:number|no\.?|\#))?|S/N|UDI|device\ (?:id|identifier|number|serial)|"
        r"implant\ (?:id|number|serial)|IMEI",
        r"SN|device|lot|implant|generator|model",
    )


class UniqueDeviceIdentifier(PatternRecogniser):
    """Unique device identifier in GS1 form. 21 CFR 801.40; GS1 General Specifications, section 3."""

    category = Category.DEVICE
    pattern = re.compile(r"\(01\)\s?\d{14}(?:\s?\((?:10|11|17|21)\)\s?[\w-]{1,20})*")


class MacAddress(PatternRecogniser):
    """IEEE 802 MAC address: it names a device."""

    category = Category.DEVICE
    pattern = re.compile(r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b")


class OtherId(LabelledId):
    """Any other unique identifying number, (R): accessions, cases, specimens, orders."""

    category = Category.OTHER_ID
    score = 0.92
    pattern = labelled(
        r"accession|specimen\ (?:number|no\.?|id|\#)|requisition|case\ (?:number|no\.?|id)|"
        r"order\ (?:number|no\.?|id|\#)|study\ (?:id|number|no\.)|site\ id|trial\ id|confirmation|"
        r"(?:(?<=\()|\b)ID(?=\s?[#:=])|employee|badge|tracking",
        r"case|specimen|order|ref(?:erence)?|ID|study|file|ticket|job|document|dictation|report",
    )


class BareId(PatternRecogniser):
    """An identifier whose form is enough: letters with five digits, or hyphenated groups of digits.

    Trial registrations (NCT, ISRCTN, EudraCT) are public and stay. ICD, CPT and LOINC codes are shorter.
    """

    category = Category.OTHER_ID
    pattern = re.compile(
        r"(?<![\w.,/-])(?P<phi>\#?(?:[A-Z]{1,5}-?\d{5,12}(?:-\d{1,6})?|"
        r"[A-Z]{1,3}\d{2}-\d{3,7}|\d{2,5}-\d{2,5}-\d{2,6}|\d{7,16}|[A-Z]{2,4}-\d{3,4}-\d{3,4}|"
        r"\d{4,6}[A-Z]{1,3}\d{0,6}))(?![\w/-]|\.\d)"
    )
    score = 0.8

    def valid(self, match: re.Match[str]) -> bool:
        value = match["phi"]
        if value.startswith(("NCT", "ISRCTN", "PMID", "ICD", "CPT")):
            return False
        if value[:1].isdigit() and value[-1:].isalpha():
            return len(digits(value)) >= 5  # "5000U" and "2000MG" are doses
        return len(digits(value)) >= (5 if value[:1].isalpha() else 6)


class Phone(PatternRecogniser):
    """North American numbers with area code, and international ones, (D). ITU-T E.164; NANPA."""

    category = Category.PHONE
    pattern = re.compile(
        r"(?<![\w.-])(?P<phi>(?:\+?1[-. ]?)?(?:\(\d{3}\)\s?|"
        r"\d{3}[-. /])\d{3}[-. ]\d{4}(?:\s*(?:x|ext\.?|extension)\s*\d{1,6})?|"
        r"\+\d{1,3}(?:[-. ]?\(?\d{1,5}\)?){2,5})(?![\w-])",
        re.IGNORECASE,
    )
    score = 0.95

    def valid(self, match: re.Match[str]) -> bool:
        return len(digits(match["phi"])) >= 9


class LabelledPhone(PatternRecogniser):
    """Any number of seven digits or more, or an extension, behind a word for telephone."""

    category = Category.PHONE
    pattern = re.compile(
        r"\b(?:phone|telephone|tel|mobile|cell(?:phone)?|pager|beeper|"
        r"call(?:back)?(?:\ (?:him|her|them|us|me))?(?:\ (?:at|on))|contact|ext(?:ension)?|"
        r"home|work|ph)\b"
        r"\.?(?:\ (?:number|no\.?|\#))?\s{0,2}(?:is|at|"
        r"on)?\s{0,2}[:#]?\s{0,2}(?P<phi>\(?\d[\d\-. ()]{2,16}\d)",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        count = len(digits(match["phi"]))
        short = match[0].casefold().startswith(("pager", "beeper", "ext"))
        return count >= 7 or (short and 3 <= count <= 6)


class Fax(PatternRecogniser):
    """A number behind the word fax, (E)."""

    category = Category.FAX
    pattern = re.compile(
        r"\b(?:fax|facsimile)(?:\ (?:number|no\.?|\#))?\s{0,2}(?:is|at|"
        r"to)?\s{0,2}[:#(]?\s{0,2}(?P<phi>\+?\(?\d[\d\-. ()]{5,18}\d)",
        re.IGNORECASE,
    )
    score = 0.97


class Email(PatternRecogniser):
    """Electronic mail address, (F). RFC 5321, without quoted local parts."""

    category = Category.EMAIL
    pattern = re.compile(r"(?<![\w.+-])[\w.+'-]{1,64}@(?:[\w-]{1,63}\.)*[\w-]{1,63}\.[A-Za-z]{2,24}\b")
    score = 0.98


class Url(PatternRecogniser):
    """Web addresses, (N). RFC 3986; without a scheme only under well-known domains."""

    category = Category.URL
    pattern = re.compile(
        r"\b(?:(?:https?|ftp)://|www\.)[^\s<>\"')\]]{3,200}[\w/]|"
        r"(?<![@\w.])(?:[a-z0-9-]{2,63}\.){1,4}(?:com|org|net|edu|gov|health|"
        r"info)(?:/[\w./?=&%#-]*)?\b",
        re.IGNORECASE,
    )
    score = 0.95


class IpAddress(PatternRecogniser):
    """IP addresses, (O). RFC 791, RFC 4291."""

    category = Category.IP
    pattern = re.compile(
        r"(?<![\w.:])(?P<phi>\d{1,3}(?:\.\d{1,3}){3}|"
        r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?![\w:]|\.\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        try:
            address = ipaddress.ip_address(match["phi"])
        except ValueError:
            return False
        # "::" alone is an address too, and "12::" is a typing error more often than a network.
        return address.version == 4 or match["phi"].count(":") >= 4


class Biometric(LabelledId):
    """Biometric identifiers, (P), as far as a text can hold one."""

    category = Category.BIOMETRIC
    pattern = labelled(
        r"fingerprint\ (?:id|number|template)|voice\ ?print\ (?:id|number)|biometric\ (?:id|"
        r"number)|retina(?:l)?\ scan\ id"
    )


class PhotoFile(PatternRecogniser):
    """File names of images, (Q)."""

    category = Category.PHOTO
    pattern = re.compile(r"\b[\w-]{1,80}\.(?:jpe?g|png|heic|tiff?|bmp|gif)\b", re.IGNORECASE)


IDENTIFIERS: Final[tuple[PatternRecogniser, ...]] = (
    MedicalRecordNumber(),
    SocialSecurityNumber(),
    LabelledSocialSecurityNumber(),
    Account(),
    HealthPlan(),
    MedicareBeneficiaryId(),
    License(),
    DeaNumber(),
    VehicleIdentification(),
    LabelledVehicle(),
    LabelledDevice(),
    UniqueDeviceIdentifier(),
    MacAddress(),
    OtherId(),
    BareId(),
    Phone(),
    LabelledPhone(),
    Fax(),
    Email(),
    Url(),
    IpAddress(),
    Biometric(),
    PhotoFile(),
)
