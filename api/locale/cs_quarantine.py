"""Czech texts about examined deposits and quarantine; see `api.locale.cs`."""

from __future__ import annotations

QUARANTINE = {
    "What was found in the signatures of a deposit": "Co se zjistilo o podpisech v podání",
    "What is set aside because of its signatures, and the decision about it": (
        "Co je kvůli podpisům v karanténě a rozhodnutí o tom"
    ),
    "What waits for a decision": "Co čeká na rozhodnutí",
    "Let a version be used all the same": "Verzi přesto uvolnit",
    "Destroy what is set aside, for ever, with a tombstone that says why": (
        "Navždy zničit to, co je v karanténě; záznam o zničení řekne proč"
    ),
    "the document whose whole report is wanted": "dokument, o kterém je třeba celá zpráva",
    "where that report goes": "kam se zpráva zapíše",
    "that report as XML of ETSI TS 119 102-2, not as JSON": "zpráva jako XML podle ETSI TS 119 102-2, ne jako JSON",
    "why, for the trail; it can be erased": "proč, do záznamu událostí; lze později vymazat",
    "--document PATH and --out FILE are written together": "--document CESTA a --out SOUBOR se uvádějí společně",
    "set aside: an operator releases or rejects it": "v karanténě: uvolní nebo zamítne ji provozovatel",
    "the profile asks for a signature, and there is none": "profil žádá podpis a žádný zde není",
    "what decides appears only later; it is examined again by itself": (
        "co rozhodne, se objeví až později; přezkoumá se znovu samo"
    ),
    "Nothing is in quarantine.": "V karanténě nic není.",
    "to reject is to destroy for ever: say --yes to do it": "zamítnout znamená navždy zničit: provede se s --yes",
    "quarantined": "v karanténě",
    "verdict": "výsledek",
    "signatures": "podpisů",
    "format": "formát",
    "document": "dokument",
}
