"""Numbers on paper and addresses on the wire, in the shapes that hospitals, payers and agencies give them.

None belongs to anybody: telephone numbers are of the 555-01xx block (NANPA keeps it for fiction), social
security numbers have an area that is never issued (900 and up), names of hosts are of example domains (RFC
2606), addresses of machines of private networks (RFC 1918, RFC 4193).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from curbside.testing.notes.values import Values

_AREAS: Final = (205, 312, 415, 503, 617, 713, 808, 904, 216, 405, 512, 614, 702, 801, 907, 973)
_HEXADECIMAL: Final = "0123456789abcdef"
_VIN_VALUES: Final[Mapping[str, int]] = MappingProxyType(
    dict(zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "012345678912345678123457923456789"), strict=True))
)


def _mrn(v: Values) -> str:
    return v.random.choice(
        (
            v.digits(7),
            v.digits(8),
            f"0{v.digits(6)}",
            f"{v.digits(2)}-{v.digits(2)}-{v.digits(2)}",
            f"{v.digits(3)}-{v.digits(2)}-{v.digits(3)}",
            f"M{v.digits(8)}",
            f"{v.letters(2)}{v.digits(6)}",
            f"E{v.digits(4)}-{v.digits(3)}",
        )
    )


def _luhn_digit(number: str) -> str:
    """The check digit that ISO/IEC 7812 puts behind `number`."""
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(number))]
    return str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)


def _npi(v: Values) -> str:
    """National Provider Identifier: Luhn over 80840 and the nine digits (45 CFR 162.406)."""
    body = f"1{v.digits(8)}"
    return body + _luhn_digit("80840" + body)


def _dea(v: Values) -> str:
    """DEA registration: two letters, six digits, and the check digit of 21 CFR 1301's form."""
    digits = v.digits(6)
    total = sum(map(int, digits[::2])) + 2 * sum(map(int, digits[1::2]))
    return f"{v.random.choice('ABFGM')}{v.letters(1)}{digits}{total % 10}"


def _medicare(v: Values) -> str:
    """Medicare Beneficiary Identifier, 11 characters (CMS)."""
    letter, digit = "ACDEFGHJKMNPQRTUVWXY", "0123456789"
    either = letter + digit
    shape = ("123456789", letter, either, digit, letter, either, digit, letter, letter, digit, digit)
    mbi = "".join(v.random.choice(choices) for choices in shape)
    return v.random.choice((mbi, f"{mbi[:4]}-{mbi[4:7]}-{mbi[7:]}"))


def _vin(v: Values) -> str:
    """Vehicle identification number: 17 characters without I, O and Q (ISO 3779), the ninth a check digit
    (49 CFR 565.15)."""
    body = v.random.choice(("1FT", "2HG", "4T1", "JF2"))
    body += "".join(v.random.choice(tuple(_VIN_VALUES)) for _ in range(5))
    tail = "".join(v.random.choice(tuple(_VIN_VALUES)) for _ in range(4)) + v.digits(4)
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum(weight * _VIN_VALUES[letter] for weight, letter in zip(weights, body + tail, strict=True))
    return f"{body}{'X' if total % 11 == 10 else total % 11}{tail}"


def _ipv6(v: Values) -> str:
    groups = ["".join(v.random.choice(_HEXADECIMAL) for _ in range(4)) for _ in range(4)]
    return f"fd{groups[0][:2]}:{groups[1]}::{groups[2]}:{groups[3]}"


NUMBERS: Final[Mapping[str, Callable[[Values], str]]] = MappingProxyType(
    {
        "mrn": _mrn,
        "account": lambda v: v.random.choice(
            (f"AC{v.digits(8)}", v.digits(10), f"{v.letters(1)}{v.digits(9)}", f"{v.digits(4)}-{v.digits(6)}")
        ),
        "card": lambda v: f"XXXX-XXXX-XXXX-{v.digits(4)}",
        "encounter": lambda v: v.random.choice(
            (v.digits(9), f"CSN {v.digits(8)}", f"V{v.digits(8)}", f"E-{v.digits(7)}")
        ),
        "accession": lambda v: v.random.choice(
            (
                f"X{v.digits(7)}",
                v.digits(8),
                f"{v.letters(2)}-{v.digits(2)}-{v.digits(5)}",
                f"CT{v.digits(6)}",
            )
        ),
        "specimen": lambda v: v.random.choice(
            (
                f"S{v.digits(2)}-{v.digits(5)}",
                f"SP-{v.digits(2)}-{v.digits(4)}",
                f"{v.digits(2)}S-{v.digits(5)}",
                f"C{v.digits(2)}:{v.digits(4)}",
            )
        ),
        "order": lambda v: v.random.choice(
            (v.digits(9), f"ORD{v.digits(6)}", f"{v.digits(4)}{v.letters(1)}{v.digits(3)}")
        ),
        "job": lambda v: v.random.choice((v.digits(6), f"{v.digits(5)}/{v.digits(7)}", f"DJ{v.digits(6)}")),
        "study": lambda v: v.random.choice(
            (
                f"{v.letters(3)}-{v.digits(3)}-{v.digits(4)}",
                f"SUBJ{v.digits(5)}",
                f"{v.digits(2)}-{v.digits(3)}-{v.letters(2)}",
            )
        ),
        "claim": lambda v: v.random.choice(
            (f"WC{v.digits(7)}", f"{v.digits(2)}-{v.digits(7)}", f"CLM-{v.digits(8)}")
        ),
        "policy": lambda v: v.random.choice(
            (
                f"{v.letters(3)}{v.digits(9)}",
                f"HP-{v.digits(6)}-{v.digits(2)}",
                f"{v.letters(1)}{v.digits(8)}",
                v.digits(9),
            )
        ),
        "group": lambda v: v.random.choice(
            (v.digits(5), f"GRP{v.digits(5)}", f"{v.digits(5)}-{v.digits(3)}")
        ),
        "medicare": _medicare,
        "medicaid": lambda v: v.random.choice(
            (v.digits(10), f"{v.letters(2)}{v.digits(5)}{v.letters(1)}", f"{v.digits(9)}{v.letters(1)}")
        ),
        "ssn": lambda v: f"9{v.digits(8)}",
        "license": lambda v: v.random.choice(
            (
                f"{v.letters(1)}{v.digits(5)}",
                f"MD{v.digits(6)}",
                f"{v.digits(2)}-{v.digits(6)}",
                f"RN{v.digits(6)}",
            )
        ),
        "driver": lambda v: v.random.choice(
            (
                f"{v.letters(1)}{v.digits(7)}",
                v.digits(9),
                f"{v.letters(1)}{v.digits(3)}-{v.digits(4)}-{v.digits(4)}",
            )
        ),
        "dea": _dea,
        "npi": _npi,
        "plate": lambda v: v.random.choice(
            (
                f"{v.letters(3)} {v.digits(4)}",
                f"{v.digits(1)}{v.letters(3)}{v.digits(3)}",
                f"{v.letters(2)}-{v.digits(5)}",
            )
        ),
        "vin": _vin,
        "serial": lambda v: v.random.choice(
            (
                f"SN{v.digits(7)}",
                f"{v.letters(3)}{v.digits(6)}{v.letters(1)}",
                v.digits(9),
                f"{v.letters(2)}-{v.digits(4)}-{v.digits(3)}",
            )
        ),
        "udi": lambda v: f"(01)0{v.digits(13)}(21){v.letters(1)}{v.digits(6)}",
        "biometric": lambda v: v.random.choice(
            (f"FP-{v.digits(6)}", f"BIO{v.digits(7)}", f"{v.letters(2)}{v.digits(8)}")
        ),
        "photo": lambda v: v.random.choice(
            (
                f"IMG_{v.digits(4)}.jpg",
                f"DSC{v.digits(5)}.JPG",
                f"photo_{v.digits(8)}.png",
                f"face-{v.digits(5)}.jpeg",
            )
        ),
        "ip": lambda v: v.random.choice(
            (
                f"10.{v.random.randrange(256)}.{v.random.randrange(256)}.{v.random.randrange(1, 255)}",
                f"192.168.{v.random.randrange(256)}.{v.random.randrange(1, 255)}",
                _ipv6(v),
            )
        ),
        "mac": lambda v: v.random.choice(":-").join(
            v.digits(1) + v.random.choice("abcdef") for _ in range(6)
        ),
        "tracking": lambda v: v.random.choice(
            (
                f"1Z{v.digits(3)}{v.letters(1)}{v.digits(2)}{v.digits(10)}",
                f"9400 {v.digits(4)} {v.digits(4)} {v.digits(4)}",
            )
        ),
        "prescription": lambda v: v.random.choice(
            (v.digits(7), f"{v.digits(7)}-{v.digits(5)}", f"C{v.digits(6)}")
        ),
        "badge": lambda v: v.random.choice((v.digits(4), v.digits(5), f"{v.letters(1)}{v.digits(4)}")),
        "donor": lambda v: v.random.choice(
            (f"{v.letters(4)}{v.digits(3)}", f"W{v.digits(4)} {v.digits(2)} {v.digits(6)}")
        ),
        "block": lambda v: (
            f"{v.letters(1)}{v.digits(2)}-{v.digits(5)}-{v.letters(1)}{v.random.randrange(1, 9)}"
        ),
        "defense": lambda v: f"1{v.digits(9)}",
        "passport": lambda v: v.random.choice((v.digits(9), f"{v.letters(1)}{v.digits(8)}")),
        "reference": lambda v: v.random.choice(
            (
                v.digits(6),
                f"REF{v.digits(7)}",
                f"{v.digits(4)}-{v.digits(4)}",
                f"{v.letters(2)}{v.digits(2)}-{v.digits(4)}",
            )
        ),
        "parking": lambda v: v.random.choice((f"{v.letters(1)}-{v.digits(4)}", v.digits(5))),
        "boat": lambda v: f"{v.letters(2)} {v.digits(4)} {v.letters(2)}",
        "foreign_phone": lambda v: f"+44 20 7946 0{v.digits(3)}",
        "telephone": lambda v: f"{v.random.choice(_AREAS)}55501{v.random.randrange(100):02d}",
        "short": lambda v: f"555-01{v.random.randrange(100):02d}",
        "pager": lambda v: v.digits(v.random.choice((4, 5))),
        "extension": lambda v: v.digits(v.random.choice((3, 4, 5))),
    }
)

PHONE_STYLES: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "paren": lambda n: f"({n[:3]}) {n[3:6]}-{n[6:]}",
        "tight_paren": lambda n: f"({n[:3]}){n[3:6]}-{n[6:]}",
        "dashed": lambda n: f"{n[:3]}-{n[3:6]}-{n[6:]}",
        "dotted": lambda n: f"{n[:3]}.{n[3:6]}.{n[6:]}",
        "spaced": lambda n: f"{n[:3]} {n[3:6]} {n[6:]}",
        "slashed": lambda n: f"{n[:3]}/{n[3:6]}-{n[6:]}",
        "one": lambda n: f"1-{n[:3]}-{n[3:6]}-{n[6:]}",
        "plus": lambda n: f"+1 {n[:3]} {n[3:6]} {n[6:]}",
        "bare": lambda n: n,
        "loose": lambda n: f"{n[:3]} {n[3:6]}-{n[6:]}",
        "dashes_spaced": lambda n: f"{n[:3]} - {n[3:6]} - {n[6:]}",
        "one_dotted": lambda n: f"1.{n[:3]}.{n[3:6]}.{n[6:]}",
        "country_bare": lambda n: f"+1{n}",
        "seven": lambda n: f"{n[3:6]}-{n[6:]}",
        "seven_dotted": lambda n: f"{n[3:6]}.{n[6:]}",
        "seven_spaced": lambda n: f"{n[3:6]} {n[6:]}",
        "seven_bare": lambda n: n[3:],
        "tail": lambda n: n[6:],
        "words": lambda n: " ".join(
            ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")[int(d)]
            for d in n
        ),
        "bracketed": lambda n: f"[{n[:3]}] {n[3:6]}-{n[6:]}",
    }
)

SSN_STYLES: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "dashed": lambda n: f"{n[:3]}-{n[3:5]}-{n[5:]}",
        "spaced": lambda n: f"{n[:3]} {n[3:5]} {n[5:]}",
        "bare": lambda n: n,
        "last_four": lambda n: n[5:],
        "dotted": lambda n: f"{n[:3]}.{n[3:5]}.{n[5:]}",
        "spread": lambda n: f"{n[:3]} - {n[3:5]} - {n[5:]}",
    }
)
