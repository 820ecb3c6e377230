"""Czech texts of `repair` and `fixity`; see `api.locale.cs`."""

from __future__ import annotations

REPAIR: dict[str, str] = {
    "first put the catalogue right by what the stores say, and adopt what it does not know": (
        "nejprve opravit katalog podle kopií a převzít, o čem neví"
    ),
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

FIXITY: dict[str, str] = {
    "Read every copy again": "Znovu přečte všechny kopie",
    "Read every byte of every copy now, a full cycle": "Hned přečte každý bajt každé kopie, celý cyklus",
    "What was read when, what was found, and the history": "Co se kdy četlo, co se našlo, a historie",
    "read at most so many bytes a second of each store; K, M and G are understood": (
        "číst z každého úložiště kopií nejvýše tolik bajtů za sekundu; lze psát K, M a G"
    ),
    "this store alone": "jen toto úložiště kopií",
    "begin anew, also where a run that was interrupted could go on": (
        "začít znovu, i když lze pokračovat v přerušeném běhu"
    ),
    "draw the history as SVG": "nakreslit historii jako SVG",
    "{word} is not a number of bytes a second": "{word} není počet bajtů za sekundu",
    "read last": "čteno naposledy",
    "findings": "nálezů",
    "planted and found": "nastraženo a nalezeno",
    "every byte since": "každý bajt od",
    "never": "nikdy",
    "store {name}: {objects} objects, {bytes} bytes read; {planted_found} of {planted} planted damages found": (
        "úložiště kopií {name}: přečteno {objects} objektů, {bytes} bajtů; "
        "nalezeno {planted_found} z {planted} nastražených poškození"
    ),
    "{count} findings": "nálezů: {count}",
    "store {name}: some bytes were not read for too long": (
        "úložiště kopií {name}: některé bajty nebyly čteny příliš dlouho"
    ),
    "store {name}: cycle {cycle} is under way, {objects} objects read": (
        "úložiště kopií {name}: běží cyklus {cycle}, přečteno {objects} objektů"
    ),
}
