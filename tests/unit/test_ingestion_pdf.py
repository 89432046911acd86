"""PDFs give their text, with fields and notes; what is hostile, locked or damaged is refused by its name."""

from __future__ import annotations

import contextlib
import ctypes
import io
import shutil
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium_c
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from curbside.errors import BadInput
from curbside_ingestion.extraction import pdf
from curbside_ingestion.extraction.documents import read_text
from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    EmptyDocument,
    EncryptedDocument,
    Kind,
    Limits,
    OversizedDocument,
    Quality,
    UnreadableDocument,
)

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="Tesseract is missing: apt-get install tesseract-ocr"
)
FONT = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def built(objects: list[str], trailer: str = "") -> bytes:
    """A PDF of `objects`, numbered from 1; the first is the catalogue."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer<</Root 1 0 R/Size {len(objects) + 1}{trailer}>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def stream(body: str, entries: str = "") -> str:
    return f"<</Length {len(body)}{entries}>>stream\n{body}\nendstream"


def written(*pages: str, catalogue: str = "", page: str = "", more: tuple[str, ...] = ()) -> bytes:
    """A PDF with these lines of text on its pages; `more` are objects 4 and on, before the pages."""
    first = 4 + len(more)
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        f"<</Type/Catalog/Pages 2 0 R{catalogue}>>",
        f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>",
        FONT,
        *more,
    ]
    for number, text in enumerate(pages):
        shown = " ".join(f"({line}) Tj T*" for line in text.split("\n"))
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>"
            f"/Contents {first + 2 * number + 1} 0 R{page}>>",
            stream(f"BT /F 12 Tf 14 TL 72 700 Td {shown} ET"),
        ]
    return built(objects)


def test_pages_are_parted_by_a_blank_line_and_lines_end_alike() -> None:
    found = read_text(written("FINDINGS: clear lungs.\nNo effusion.", "IMPRESSION: normal."))
    assert found.text == "FINDINGS: clear lungs.\nNo effusion.\n\nIMPRESSION: normal."
    assert (found.kind, found.quality) == (Kind.PDF, None)


def test_a_word_that_was_parted_at_a_line_s_end_is_whole() -> None:
    assert "pneumothorax" in read_text(written("There is no pneumo-\nthorax on this examination.")).text


def test_fields_and_notes_are_kept_and_hidden_ones_and_links_are_not() -> None:
    annotations = (
        "<</Type/Annot/Subtype/Widget/FT/Tx/T(Surname)/V(Quinby)/Rect[0 0 90 9]/P 9 0 R>>",
        "<</Type/Annot/Subtype/Widget/FT/Btn/T(Smoker)/V/Yes/AS/Yes/Rect[0 20 9 29]"
        "/AP<</N<</Yes 8 0 R/Off 8 0 R>>>>>>",
        "<</Type/Annot/Subtype/FreeText/Contents(Call the ward)/DA(/F 9 Tf)/Rect[0 40 90 49]>>",
        "<</Type/Annot/Subtype/FreeText/F 2/Contents(Never shown)/DA(/F 9 Tf)/Rect[0 40 90 49]>>",
        stream("", "/Type/XObject/Subtype/Form/BBox[0 0 9 9]"),
    )
    text = read_text(
        written(
            "Admission form",
            catalogue="/AcroForm<</Fields[4 0 R 5 0 R]/DA(/F 9 Tf)/DR<</Font<</F 3 0 R>>>>>>",
            page="/Annots[4 0 R 5 0 R 6 0 R 7 0 R]",
            more=annotations,
        )
    ).text
    assert text.splitlines() == ["Admission form", "Surname: Quinby", "Smoker: yes", "Call the ward"]


def test_scripts_embedded_files_and_links_are_neither_run_nor_read() -> None:
    assert not {"V8", "XFA"} & set(pypdfium2.PDFIUM_INFO.flags)
    data = written(
        "The report itself.",
        catalogue="/OpenAction<</S/JavaScript/JS(app.alert\\(1\\); while\\(true\\){})>>"
        "/Names<</EmbeddedFiles<</Names[(secret.txt) 4 0 R]>>>>",
        page="/Annots[<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/Contents(linked)"
        "/A<</S/URI/URI(http://127.0.0.1:1/)>>>>]/AA<</O<</S/JavaScript/JS(while\\(true\\){})>>>>",
        more=("<</Type/Filespec/F(secret.txt)/EF<</F 5 0 R>>>>", stream("smuggled words")),
    )
    assert read_text(data).text == "The report itself."


LOCKED = built(
    [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Count 1/Kids[3 0 R]>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
        f"<</Filter/Standard/V 2/R 3/Length 128/P -4/O<{'ab' * 32}>/U<{'cd' * 32}>>>",
    ],
    "/Encrypt 4 0 R/ID[<00><00>]",
)


@pytest.mark.parametrize("security", [b"/Standard", b"/Whatever"])
def test_a_locked_pdf_is_refused_as_locked(security: bytes) -> None:
    with pytest.raises(EncryptedDocument):
        read_text(LOCKED.replace(b"/Standard", security))


WHOLE = written("A report of some length, so that it can be cut.")
LOOPS = {
    "pages": built(
        ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 9/Kids[2 0 R 2 0 R]/Parent 2 0 R>>"]
    ),
    "references": built(["<</Type/Catalog/Pages 2 0 R>>", "2 0 R"]),
    "tables": WHOLE.replace(b"/Size", b"/Prev %d/Size" % WHOLE.rindex(b"xref\n0")),
    "drawings": built(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Count 1/Kids[3 0 R]>>",
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</XObject<</X 4 0 R>>>>/Contents 5 0 R>>",
            stream("/X Do", "/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 4 0 R>>>>"),
            stream("/X Do"),
        ]
    ),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_what_refers_to_itself_ends(loop: str, unread: None) -> None:
    try:
        assert read_text(LOOPS[loop]).text
    except BadInput as refused:
        assert refused.mend  # noqa: PT017 - either is right: it ends


@pytest.mark.parametrize(
    ("data", "limits", "problem"),
    [
        (b"%PDF-1.7\nnothing that follows is one", DEFAULT_LIMITS, UnreadableDocument),
        (
            built(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Count 0/Kids[]>>"]),
            DEFAULT_LIMITS,
            UnreadableDocument,
        ),
        (written("a", "b", "c"), Limits(max_pages=2), OversizedDocument),
        (written("a long line of text"), Limits(max_characters=5), OversizedDocument),
        (written(""), DEFAULT_LIMITS, EmptyDocument),
    ],
    ids=["no objects", "no pages", "pages", "characters", "blank"],
)
def test_what_cannot_be_taken_is_refused_by_name(
    data: bytes, limits: Limits, problem: type[BadInput]
) -> None:
    with pytest.raises(problem) as refused:
        read_text(data, limits)
    assert refused.value.mend


def scan(*texts: str) -> bytes:
    pages = []
    for text in texts:
        image = Image.new("L", (850, 300), 255)
        ImageDraw.Draw(image).text((60, 100), text, fill=0, font=ImageFont.load_default(26))
        pages.append(image)
    file = io.BytesIO()
    pages[0].save(file, "PDF", resolution=100, save_all=True, append_images=pages[1:])
    return file.getvalue()


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes to OCR reads "seen"."""
    monkeypatch.setattr(pdf, "recognise", lambda *_, **__: ("seen", Quality(0.9, 1, 1)))


def stamped(data: bytes, text: str) -> bytes:
    """`data` with a line of text over its first page, as a fax server prints it."""
    with pypdfium2.PdfDocument(data) as document:
        page = document[0]
        line = pdfium_c.FPDFPageObj_NewTextObj(document, b"Helvetica", 8.0)
        characters = (ctypes.c_ushort * (len(text) + 1))(*map(ord, text), 0)
        pdfium_c.FPDFText_SetText(line, characters)
        pdfium_c.FPDFPageObj_Transform(line, 1, 0, 0, 1, 5, 5)
        pdfium_c.FPDFPage_InsertObject(page, line)
        page.gen_content()
        file = io.BytesIO()
        document.save(file)
        return file.getvalue()


def test_scanned_pages_are_counted_and_bounded(unread: None) -> None:
    found = read_text(scan("one", "two", "three"))
    assert found.text == "seen\n\nseen\n\nseen"
    assert found.quality == Quality(pytest.approx(0.9), 3, 3)  # type: ignore[arg-type]
    with pytest.raises(OversizedDocument, match="more than 2 scanned pages"):
        read_text(scan("one", "two", "three"), Limits(max_ocr_pages=2))


def test_a_page_of_any_size_is_rendered_within_the_pixels_that_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = []
    monkeypatch.setattr(
        pdf, "recognise", lambda image, *_, **__: sizes.append(image.size) or ("seen", Quality(1.0, 1, 1))
    )
    read_text(scan("one"), Limits(max_pixels=100_000))
    ((width, height),) = sizes
    assert 50_000 < width * height <= 100_000


@needs_tesseract
def test_a_fax_server_s_line_over_a_scan_does_not_hide_the_scan() -> None:
    text = read_text(
        stamped(scan("No acute abnormality of Marlow Quinby."), "FAX 2031 FROM MERCY CLINIC PAGE 1 OF 1")
    ).text
    assert "No acute abnormality of Marlow Quinby." in text
    assert "MERCY CLINIC" in text


@pytest.mark.parametrize(
    ("layer", "garbage"),
    [
        ("Plain text of a report", False),
        ("\ufffd\ufffd\ufffd \x01\x02\x03", True),
        ("\ue000\ue001\ue002\ue003", True),
        ("Patient: M\ufffdller, forty lines of good text after a name that lost a letter", True),
        ("\ufffd First of the points in a list that is long enough", False),
        ("", False),
    ],
)
def test_a_text_layer_whose_fonts_tell_no_characters_is_garbage(layer: str, garbage: bool) -> None:
    assert pdf._is_garbage(layer) is garbage


def real_pdfs(shared: Path) -> list[Path]:
    return sorted((shared / "data" / "pdf" / "scan_docs").glob("*.pdf"))


def test_every_real_pdf_gives_its_text(shared: Path, unread: None) -> None:
    found = {path.name: read_text(path.read_bytes()).text for path in real_pdfs(shared)}
    assert len(found) == 11
    assert all("\r" not in text and "\ufffe" not in text and len(text) > 40 for text in found.values())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 10),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=30),
    st.floats(0.1, 1),
)
def test_no_damage_to_a_real_pdf_gives_more_than_a_bad_input(
    shared: Path, unread: None, which: int, changes: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(real_pdfs(shared)[which].read_bytes()[:200_000])
    for place, byte in changes:
        data[8 + int(place * (len(data) - 9))] = byte
    with contextlib.suppress(BadInput):
        pdf.read_text(bytes(data[: 16 + int(kept * len(data))]), Limits(max_pages=100, max_pixels=200_000))
