"""Czech texts of `repair` and `fixity`; see `api.locale.cs`."""

from __future__ import annotations

REPAIR: dict[str, str] = {
    "Put damaged and missing bytes right, from copies that the evidence proves": (
        "Opraví poškozená a chybějící data z kopií, které potvrzují důkazy"
    ),
    "these objects alone; otherwise whatever is damaged": "jen tyto objekty; jinak vše, co je poškozené",
    "finding": "nález",
    "LOST: {bytes} bytes of {files} files are good in no copy": (
        "ZTRACENO: {bytes} bajtů z {files} souborů není dobrých v žádné kopii"
    ),
    "Nothing was changed: {repaired} would be repaired, {left} could not": (
        "Nic se nezměnilo: {repaired} by se opravilo, {left} opravit nelze"
    ),
    "{repaired} repaired, {left} left": "opraveno: {repaired}, zbývá: {left}",
    "repairing": "opravuji",
}
