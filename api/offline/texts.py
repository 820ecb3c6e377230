"""What the offline verifier says to people, in English and Czech.

Rules kept here
 * JSON output is always English and stable; these texts are for people only.
 * A text that is missing in Czech is an error found by a test, not an English word in a Czech page.
 * Details of a step (what exactly differs, which clause) stay as the checks give them.
"""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH: dict[str, str] = {
    "description": "Checks offline, without trusting whoever kept the documents, that they are what they were "
    "and since when they have existed.",
    "example": "Examples:\n"
    "  trusted-archive-verify BUNDLE.zip --trust tsa-and-seal-issuers.pem\n"
    "  trusted-archive-verify --record DOC.ers --trust tsa-issuers.pem DOC.pdf\n\n"
    "Exit codes: 0 PASSED, 1 FAILED, 2 wrong use, 3 INDETERMINATE.",
    "files": "bundle or exported ASiC-E container (ZIP); with --record, the data that the record covers",
    "record": "check this RFC 4998 evidence record (DER or base64) over the DATA files",
    "trust": "certificates that you trust: PEM or DER files or folders; may be given several times",
    "validation": "further certificates, CRLs or OCSP responses, which help but are not trusted",
    "at": "judge as of this time (RFC 3339, UTC when no offset is given); now by default",
    "json": "print one JSON document",
    "version": "print the version",
    "help": "print this help",
    "verdict": "Verdict",
    "PASSED": "PASSED",
    "FAILED": "FAILED",
    "INDETERMINATE": "INDETERMINATE",
    "existence": "Existence is proven since",
    "no-existence": "No time of existence is proven",
    "judged": "Judged as of",
    "test": "WARNING: this rests on TEST trust and proves nothing to third parties.",
    "no-trust": "No trusted certificates were given (--trust): nothing can be more than INDETERMINATE.",
    "findings": "Findings",
    "file-times": "Files, and since when each is proven to exist",
    "wrong-use": "Wrong use",
    "one-bundle": "give exactly one bundle, or --record FILE and its data",
    "bad-time": "--at is not a time such as 2030-01-31T12:00:00Z",
    "step container": "container can be read safely",
    "step manifest": "contents are those of the manifest",
    "step layout": "nothing missing, nothing undeclared",
    "step description": "description of the object",
    "step files": "files are those described",
    "step chunk lists": "chunk digests match the files",
    "step statement": "statement of the evidence batch",
    "step form": "form of the record",
    "step encryption": "encryption",
    "step chain": "digest algorithm of the chain",
    "step hash tree": "hash tree leads to the time-stamp",
    "step time-stamp renewal": "time-stamp renewal",
    "step order in time": "order in time",
    "step time-stamp token": "time-stamp token",
    "step digest algorithm": "digest algorithm is still good",
    "step data object": "is covered:",
    "step data objects": "data objects",
    "step data group": "data group is complete and alone",
    "step sealed root": "path goes through the sealed root",
    "step evidence record": "EVIDENCE RECORDS",
    "step receipt": "receipt",
    "step seal": "seal over the statement",
    "step seal evidence": "EVIDENCE OF STATEMENT AND SEAL",
    "step trail": "events are in the sealed trail",
    "step chain of versions": "chain of earlier versions",
    "step earlier version": "EVIDENCE OF AN EARLIER VERSION",
}

CZECH: dict[str, str] = {
    "description": "Bez sítě a bez důvěry v toho, kdo dokumenty uchovával, ověří, že jsou takové, jaké byly, "
    "a od kdy prokazatelně existují.",
    "example": "Příklady:\n"
    "  trusted-archive-verify BUNDLE.zip --trust vydavatele-razitek-a-peceti.pem\n"
    "  trusted-archive-verify --record DOC.ers --trust vydavatele-razitek.pem DOC.pdf\n\n"
    "Návratové kódy: 0 PASSED, 1 FAILED, 2 chybné použití, 3 INDETERMINATE.",
    "files": "balíček nebo vydaný kontejner ASiC-E (ZIP); s --record data, která záznam pokrývá",
    "record": "ověřit tento důkazní záznam RFC 4998 (DER nebo base64) nad soubory DATA",
    "trust": "certifikáty, kterým důvěřujete: soubory PEM nebo DER nebo složky; lze uvést vícekrát",
    "validation": "další certifikáty, CRL nebo odpovědi OCSP; pomáhají, ale nedůvěřuje se jim",
    "at": "posoudit k tomuto okamžiku (RFC 3339, bez posunu v UTC); jinak k nynějšku",
    "json": "vypsat jeden dokument JSON",
    "version": "vypsat verzi",
    "help": "vypsat tuto nápovědu",
    "verdict": "Výsledek",
    "PASSED": "OVĚŘENO",
    "FAILED": "NEPLATNÉ",
    "INDETERMINATE": "NELZE ROZHODNOUT",
    "existence": "Existence je prokázána od",
    "no-existence": "Doba existence není prokázána",
    "judged": "Posouzeno k",
    "test": "POZOR: spočívá na TESTOVACÍ důvěře a třetím osobám nic neprokazuje.",
    "no-trust": "Nebyly zadány důvěryhodné certifikáty (--trust): bez nich nelze rozhodnout.",
    "findings": "Zjištění",
    "file-times": "Soubory a od kdy je prokázána jejich existence",
    "wrong-use": "Chybné použití",
    "one-bundle": "zadejte právě jeden balíček, nebo --record SOUBOR a jeho data",
    "bad-time": "--at není čas jako 2030-01-31T12:00:00Z",
    "step container": "balíček lze bezpečně přečíst",
    "step manifest": "obsah odpovídá soupisu",
    "step layout": "nic nechybí a nic nepřebývá",
    "step description": "popis objektu",
    "step files": "soubory odpovídají popisu",
    "step chunk lists": "otisky částí odpovídají souborům",
    "step statement": "prohlášení o důkazní dávce",
    "step form": "forma záznamu",
    "step encryption": "šifrování",
    "step chain": "hašovací algoritmus řetězce",
    "step hash tree": "hašovací strom vede k časovému razítku",
    "step time-stamp renewal": "obnovení časového razítka",
    "step order in time": "časová posloupnost",
    "step time-stamp token": "časové razítko",
    "step digest algorithm": "hašovací algoritmus je stále vhodný",
    "step data object": "je pokryt:",
    "step data objects": "datové objekty",
    "step data group": "datová skupina je úplná a nic v ní nepřebývá",
    "step sealed root": "cesta vede přes zapečetěný kořen",
    "step evidence record": "DŮKAZNÍ ZÁZNAMY",
    "step receipt": "potvrzení",
    "step seal": "pečeť prohlášení",
    "step seal evidence": "DŮKAZY PROHLÁŠENÍ A PEČETI",
    "step trail": "události jsou v zapečetěném záznamu událostí",
    "step chain of versions": "posloupnost dřívějších verzí",
    "step earlier version": "DŮKAZY DŘÍVĚJŠÍ VERZE",
}


def choose(environment: Mapping[str, str]) -> dict[str, str]:
    """Texts for the caller's language: LC_ALL, LC_MESSAGES, LANG, the first that is set."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return CZECH if value.lower().startswith("cs") else ENGLISH
    return ENGLISH


def step_title(texts: Mapping[str, str], name: str) -> str:
    """A step's name for people; the name of a data object is kept as it is."""
    if name.startswith("data object "):
        return f"{texts['step data object']} {name.removeprefix('data object ')}"
    return texts.get(f"step {name}", name)
