"""An algorithm table from any document that states one: our TOML, DSSC XML, or its JSON form.

Rules kept here
 * The form is told by the first character and never guessed further: a document that is not good in the form it
   begins in is refused.
"""

from __future__ import annotations

from policies.algorithms import AlgorithmTable
from policies.dssc import table_of
from policies.dssc_json import read_json
from policies.dssc_xml import is_signed, read_xml

TOML, XML, JSON = "toml", "xml", "json"


def form_of(source: bytes) -> str:
    """`toml`, `xml` or `json`, by how the document begins."""
    start = source.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return {b"<": XML, b"{": JSON}.get(start, TOML)


def load_table(source: bytes) -> AlgorithmTable:
    """Read an algorithm table; raises PolicyError, naming the place, for anything that is not one."""
    form = form_of(source)
    if form == XML:
        return table_of(read_xml(source), source, form)
    if form == JSON:
        return table_of(read_json(source), source, form)
    return AlgorithmTable.load(source)


def carries_signature(source: bytes) -> bool:
    """Whether the document carries a signature that can be judged (XML only)."""
    return form_of(source) == XML and is_signed(source)
