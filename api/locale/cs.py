"""Czech texts for people. The keys are the English texts of the program; see `api.texts`.

Rules kept here
 * Every text of the command line has its Czech one, with the same `{facts}`; a test holds that none is
   missing and none is left over.
 * The product is a "důvěryhodné úložiště" or a "digitální spisovna". What only a trust service provider
   may call itself is never said.
"""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "Keeps documents provably genuine for decades.": "Uchovává dokumenty prokazatelně pravé po desetiletí.",
}
