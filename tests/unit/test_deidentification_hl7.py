"""HL7 v2 messages: their identifiers by form and field, and the language of their prose."""

import pytest

from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.phi import Category, PhiText
from curbside_deidentification.domain.language import is_english
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span, resolve
from curbside_deidentification.pipeline import Reason, deidentify
from curbside_deidentification.recognisers.completing import find_by_rule

POLICY = load_policy()
HEADER = r"MSH|^~\&|APP^2.16.840.1.114222.4^ISO|Kessel Lab^12D3456789^CLIA|X-ELR|XDOH|20240605185501+0000|"
HEADER += "|ORU^R01|"
HEADER += (
    "0bab3f94-feb4-4915-939d-1adc5da201f3|P|2.5.1|||NE|NE|USA|UNICODE UTF-8|ENG^English^ISO||PHLab^ELR^ISO\n"
)
OBX = "OBX|1|CWE|94558-4^SARS-CoV-2^LN||260373001^Detected^SCT|||A|||F||||12D3456789^Kessel Lab^CLIA|\n" * 6


class Rules:
    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
        return list(find_by_rule(text, lexicon))


def found(text: str) -> set[tuple[Category, str]]:
    spans = resolve(find_by_rule(text, POLICY.lexicon), text)
    return {(span.category, text[span.start : span.end]) for span in spans}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OBR|1|x|21:AA:B0029251Sm1|", (Category.OTHER_ID, "21:AA:B0029251Sm1")),
        ("|20230501102531.0000-0400|", (Category.DATE, "20230501102531.0000-0400")),
        ("the lab (12D3456789)", (Category.LICENSE, "12D3456789")),
        (
            '"id": "e4531916-b162-4f4b-90c2-ce37e132b8d4"',
            (Category.OTHER_ID, "e4531916-b162-4f4b-90c2-ce37e132b8d4"),
        ),
        ("seed: -6964481508968088368 ", (Category.OTHER_ID, "6964481508968088368")),
        ("PID|1||7^^^MR||May^Will^J^^^^L||", (Category.NAME, "May")),
        ("NTE|1 IN1|1|A|2|||||||||||||Rose^Bill^^^Mr|", (Category.NAME, "Bill")),
        ("PV1|1|I|||||1234^House^Greg^A^^Dr|", (Category.NAME, "House")),
    ],
)
def test_an_identifier_of_a_message_is_found(text: str, expected: tuple[Category, str]) -> None:
    assert expected in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "|2.16.840.1.114222.4.3.3|",
        "|100383-9^MVPX DNA^LN|",
        "|58410-2^CBC|",
        "|12.0-15.5|L",
        "|A1^Name Context^L|",
    ],
)
def test_a_system_or_a_code_is_no_identifier(text: str) -> None:
    assert not found(text)


def test_a_message_of_codes_is_passed_on() -> None:
    text = HEADER + "PID|1||7654321^^^MR||Doe^Jo^Q||19600101|F|||12 Oak^^Tracy^CA^95376^USA\n" + OBX
    result = deidentify(PhiDocument(PhiText(text), KnownIdentifiers()), Rules(), POLICY)
    assert result.reason is None
    assert "Kessel" not in result.replaced.reveal()


@pytest.mark.parametrize(
    "prose",
    [
        "Potilas tuli vastaanotolle kuumeen ja yskän vuoksi, keuhkoissa ei ollut hengitysääniä oikealla, "
        "ja hänelle aloitettiin antibioottihoito sekä sovittiin seuranta viikon kuluttua terveyskeskukseen. "
        "Hoito jatkuu kotona, uusi kontrolli tarvittaessa",
        "Der Patient hat keine Schmerzen und die Wunde ist reizlos",
    ],
)
def test_a_message_with_prose_of_another_language_is_quarantined(prose: str) -> None:
    text = HEADER + f"OBX|1|TX|NOTE||{prose}|\n" + OBX
    assert not is_english(text, POLICY.language, POLICY.lexicon)
    result = deidentify(PhiDocument(PhiText(text), KnownIdentifiers()), Rules(), POLICY)
    assert result.reason is Reason.LANGUAGE
