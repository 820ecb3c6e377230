"""How a visible seal looks: a frame with a few lines of text, on the first page.

Rules kept here
 * The text is Helvetica, one of the fonts that every viewer has (ISO 32000-1 9.6.2.2), with an encoding that adds the
   Czech letters by their glyph names; a letter that it has not is shown as a question mark. Nothing is embedded, so a
   PDF/A with a visible seal is no longer PDF/A.
 * Lines that are too long for the frame are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyhanko.pdf_utils import generic as pdf
from pyhanko.pdf_utils.writer import BasePdfFileWriter

generic: Any = pdf
"""Its types are not annotated."""

WIDTH, MARGIN, LEADING, SIZE = 300, 24, 11, 8
MAX_LINES, MAX_CHARACTERS = 8, 66

_GLYPHS = {
    "ě": "ecaron",
    "č": "ccaron",
    "ř": "rcaron",
    "ů": "uring",
    "ň": "ncaron",
    "ď": "dcaron",
    "ť": "tcaron",
    "Ě": "Ecaron",
    "Č": "Ccaron",
    "Ř": "Rcaron",
    "Ů": "Uring",
    "Ň": "Ncaron",
    "Ď": "Dcaron",
    "Ť": "Tcaron",
    "ĺ": "lacute",
    "ľ": "lcaron",
    "ŕ": "racute",
    "Ľ": "Lcaron",
}
_FIRST = 0xA1
_CODES = {letter: _FIRST + index for index, letter in enumerate(_GLYPHS)}


def height(lines: Sequence[str]) -> int:
    return LEADING * len(lines) + LEADING


@dataclass(frozen=True)
class Look:
    """The appearance with these lines, in the place of one of pyHanko's styles."""

    lines: tuple[str, ...]

    def create_stamp(self, writer: BasePdfFileWriter, _box: object, _params: object) -> Look._Drawn:
        return Look._Drawn(writer.add_object(self._form(writer)))

    def _form(self, writer: BasePdfFileWriter) -> pdf.StreamObject:
        name, number = generic.pdf_name, generic.NumberObject
        tall = height(self.lines)
        fonts = generic.DictionaryObject({name("/F1"): _font(writer)})
        made: pdf.StreamObject = generic.StreamObject(
            {
                name("/Type"): name("/XObject"),
                name("/Subtype"): name("/Form"),
                name("/BBox"): generic.ArrayObject([number(0), number(0), number(WIDTH), number(tall)]),
                name("/Resources"): generic.DictionaryObject({name("/Font"): fonts}),
            },
            stream_data=self._drawing(tall),
        )
        return made

    def _drawing(self, tall: int) -> bytes:
        text = b"\n".join(b"(%s) '" % _string(line[:MAX_CHARACTERS]) for line in self.lines[:MAX_LINES])
        frame = b"q 1 g 0.4 w 0.5 0.5 %d %d re B 0 g" % (WIDTH - 1, tall - 1)
        return b"%s BT /F1 %d Tf %d TL 8 %d Td\n%s\nET Q" % (frame, SIZE, LEADING, tall - 6, text)

    @dataclass(frozen=True)
    class _Drawn:
        form: pdf.IndirectObject

        def apply_appearance(self, annotation: pdf.DictionaryObject) -> None:
            name = generic.pdf_name
            annotation[name("/AP")] = generic.DictionaryObject({name("/N"): self.form})


def _font(writer: BasePdfFileWriter) -> pdf.IndirectObject:
    name = generic.pdf_name
    differences = generic.ArrayObject(
        [generic.NumberObject(_FIRST), *(name(f"/{glyph}") for glyph in _GLYPHS.values())]
    )
    encoding = generic.DictionaryObject(
        {
            name("/Type"): name("/Encoding"),
            name("/BaseEncoding"): name("/WinAnsiEncoding"),
            name("/Differences"): differences,
        }
    )
    font = generic.DictionaryObject(
        {
            name("/Type"): name("/Font"),
            name("/Subtype"): name("/Type1"),
            name("/BaseFont"): name("/Helvetica"),
            name("/Encoding"): encoding,
        }
    )
    return writer.add_object(font)


def _string(line: str) -> bytes:
    """The characters of a literal string (ISO 32000-1 7.3.4.2)."""
    out = bytearray()
    for letter in line:
        for code in _codes(letter):
            out += b"\\%c" % code if code in b"()\\" else bytes([code])
    return bytes(out)


def _codes(letter: str) -> bytes:
    if letter in _CODES:
        return bytes([_CODES[letter]])
    code = letter.encode("cp1252", "replace")
    taken = _FIRST <= code[0] < _FIRST + len(_GLYPHS)
    return b"?" if taken or code[0] < 0x20 else code
