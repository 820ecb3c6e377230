"""Czech texts of `sealed-copy`; see `api.locale.cs`."""

from __future__ import annotations

SEALING: dict[str, str] = {
    "A copy of a PDF with the archive's seal and time-stamps in it": (
        "Kopie PDF s pečetí úložiště a s časovými razítky uvnitř"
    ),
    "the file of the version, by its path": "soubor verze, cestou",
    "where to write the copy": "kam kopii zapsat",
    "say on the first page, in this language, that it is a sealed copy, and of what": (
        "na první straně v tomto jazyce uvést, že jde o zapečetěnou kopii a čeho"
    ),
}
