"""What stands on a PDF's page beside its text layer: the values of form fields, and notes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

_MOST_BYTES: Final = 2_000_000  # of one value
# ISO 32000-1, 12.5.6: links are never followed; a popup repeats its parent; a file is never opened.
_SILENT: Final = frozenset(
    {
        pdfium_c.FPDF_ANNOT_LINK,
        pdfium_c.FPDF_ANNOT_POPUP,
        pdfium_c.FPDF_ANNOT_FILEATTACHMENT,
        pdfium_c.FPDF_ANNOT_SOUND,
        pdfium_c.FPDF_ANNOT_MOVIE,
    }
)
_CHECKED: Final = frozenset({pdfium_c.FPDF_FORMFIELD_CHECKBOX, pdfium_c.FPDF_FORMFIELD_RADIOBUTTON})
_WRITTEN: Final = frozenset(
    {pdfium_c.FPDF_FORMFIELD_TEXTFIELD, pdfium_c.FPDF_FORMFIELD_COMBOBOX, pdfium_c.FPDF_FORMFIELD_LISTBOX}
)


def notes_of(page: pdfium.PdfPage, most: int) -> Iterator[str]:
    """Each filled field as "name: value", each ticked one as "name: yes", each note as it is written."""
    for index in range(min(pdfium_c.FPDFPage_GetAnnotCount(page), most)):
        note = pdfium_c.FPDFPage_GetAnnot(page, index)
        if not note:
            continue
        try:
            if pdfium_c.FPDFAnnot_GetFlags(note) & pdfium_c.FPDF_ANNOT_FLAG_HIDDEN:
                continue
            kind = pdfium_c.FPDFAnnot_GetSubtype(note)
            if kind == pdfium_c.FPDF_ANNOT_WIDGET:
                text = _field(page.formenv, note)
            else:
                text = (
                    "" if kind in _SILENT else _string(pdfium_c.FPDFAnnot_GetStringValue, note, b"Contents\0")
                )
        finally:
            pdfium_c.FPDFPage_CloseAnnot(note)
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").strip()
        if text:
            yield text


def _field(form: pdfium.PdfFormEnv | None, note: Any) -> str:
    if form is None:  # a widget in a document without a form
        return _string(pdfium_c.FPDFAnnot_GetStringValue, note, b"V\0")
    kind = pdfium_c.FPDFAnnot_GetFormFieldType(form, note)
    name = _string(pdfium_c.FPDFAnnot_GetFormFieldAlternateName, form, note) or _string(
        pdfium_c.FPDFAnnot_GetFormFieldName, form, note
    )
    if kind in _CHECKED:
        value = "yes" if pdfium_c.FPDFAnnot_IsChecked(form, note) else ""
    elif kind in _WRITTEN:
        value = _string(pdfium_c.FPDFAnnot_GetFormFieldValue, form, note)
    else:  # a button, a signature
        return ""
    if not value.strip():
        return ""
    return f"{name}: {value}" if name.strip() else value


def _string(read: Callable[..., int], *of: Any) -> str:
    """What `read` gives as UTF-16: asked for its length first, as PDFium's functions are."""
    size = read(*of, None, 0)
    if not 2 < size <= _MOST_BYTES:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    read(*of, buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "ignore")
