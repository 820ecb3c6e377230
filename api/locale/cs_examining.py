"""Czech texts of `examine`; see `api.locale.cs`."""

from __future__ import annotations

EXAMINING: dict[str, str] = {
    "Examine the signatures in a file, without a home and without the network": (
        "Prověří podpisy v souboru, bez úložiště a bez sítě"
    ),
    "the file to examine": "soubor, který se má prověřit",
    "the data that a detached signature is over": "data, nad nimiž je oddělený podpis",
    "certificates to trust, in files or folders; nobody is trusted otherwise": (
        "certifikáty, kterým se věří, v souborech nebo složkách; jinak se nevěří nikomu"
    ),
    "an ETSI trusted list (XML) whose services are trusted and tell the qualified status": (
        "důvěryhodný seznam ETSI (XML), jehož službám se věří a podle něhož se určuje jejich stav"
    ),
    "judge as of this time; now otherwise": "posoudit k tomuto okamžiku; jinak k nynějšímu",
    "write the report as XML (ETSI TS 119 102-2)": "zapsat zprávu jako XML (ETSI TS 119 102-2)",
    "good": "v pořádku",
    "broken": "porušeno",
    "not decided": "nerozhodnuto",
    "NOT EXAMINED": "NEPROVĚŘENO",
    "no signatures and no time-stamps": "žádné podpisy ani časová razítka",
    "evidence record": "důkazní záznam",
    "existed at": "existoval",
    "Not everything in the file could be looked at.": "V souboru nebylo možné prověřit všechno.",
    "No trust anchors were given (--trust): nobody is trusted.": (
        "Nebyly zadány kotvy důvěry (--trust): nevěří se nikomu."
    ),
    "signature": "podpis",
    "intact": "neporušený",
    "not intact": "porušený nebo neověřitelný",
    "signer": "podepsal",
    "claimed time": "udaný čas",
    "proven time": "prokázaný čas",
    "covers": "zahrnuje",
    "qualified status": "stav podle seznamu",
    "TEST TRUST: this proves nothing to anybody else.": "ZKUŠEBNÍ DŮVĚRA: nikomu jinému to nic nedokazuje.",
    "time-stamp": "časové razítko",
}
