"""What a problem is called, in English and Czech.

Rules kept here
 * English is the docstring of the error's class, so that there is one sentence and not two.
 * Czech stands here, one sentence for each code; a test holds that none is missing.
 * The product is never called an archive in Czech.
"""

from __future__ import annotations

import inspect

import api.refusals
import api.ts119512.refusals
from archive_core.errors import ArchiveError

_CZECH = {
    "archive": "Požadavek se nepodařilo splnit.",
    "usage": "Požadavek je chybně sestaven.",
    "unknown-field": "Požadavek obsahuje pole nebo parametr, který rozhraní nezná.",
    "malformed-upload": "Tělo požadavku není platné multipart/form-data.",
    "unsupported-media-type": "Tělo požadavku má jiný typ nebo kódování, než je třeba.",
    "stalled-upload": "Tělo požadavku přicházelo příliš pomalu; pošlete je znovu.",
    "range-not-satisfiable": "Soubor nemá v požadovaném rozsahu ani jeden bajt.",
    "precondition-failed": "Soubor není ten, který uvádí If-Match.",
    "staging-unavailable": "Pro příjem podání teď není místo; nic nebylo uloženo, zkuste to později.",
    "unauthenticated": "Je potřeba klíč: pošlete jej jako `Authorization: Bearer KLÍČ`.",
    "not-permitted": "Tento klíč k tomu nemá oprávnění; požádejte provozovatele o klíč se správnou rolí.",
    "token-refused": "Tento token tu nic neotevírá; proč, říká `reason`.",
    "certificate-refused": "Tento klientský certifikát tu nic neotevírá; proč, říká `reason`.",
    "tus-version": "Uveďte verzi protokolu tus: `Tus-Resumable: 1.0.0`.",
    "checksum-mismatch": "Část má jiný kontrolní součet, než bylo uvedeno, a nebyla uložena; pošlete ji znovu.",
    "upload-busy": "Do tohoto nahrávání právě zapisuje nebo z něj ukládá jiný požadavek; zkuste to, až skončí.",
    "webhook-refused": "Příjemce zprávu nepřevzal; nabídne se mu znovu.",
    "rate-limited": "Příliš mnoho požadavků za krátkou dobu; počkejte, jak uvádí `Retry-After`.",
    "organisation-not-active": "Pro tuto organizaci se už nic nepřijímá; obraťte se na provozovatele.",
    "quota-exceeded": "Organizace už na to nemá místo, nic nebylo uloženo; požádejte provozovatele o větší kvótu.",
    "unknown-organisation": "Taková organizace, kterou byste směli vidět, tu není.",
    "submission": "Podání nelze v této podobě přijmout; nic nebylo uloženo.",
    "empty-submission": "Podání musí obsahovat alespoň jeden soubor.",
    "name-not-accepted": "Název souboru v podání nelze bezpečně uchovat.",
    "metadata-not-accepted": "Metadata nejsou objekt JSON v povolených mezích.",
    "digest-mismatch": "Soubor nemá otisk, který pro něj byl uveden.",
    "size-limit": "Podání překračuje povolenou mez.",
    "truncated-submission": "Podání skončilo dříve, než ohlásilo.",
    "profile-not-active": "Profil uchovávání teď nová podání nepřijímá.",
    "signatures-not-accepted": "Podpisy v podání nejsou takové, jaké žádá profil uchovávání; nic nebylo uloženo.",
    "in-quarantine": "Verze je kvůli podpisům v karanténě; uvolní nebo zamítne ji provozovatel.",
    "not-in-quarantine": "Verze v karanténě není; není o čem rozhodovat.",
    "under-legal-hold": "Skartační operace je pozastavena; zničit objekt lze, až skončí poslední pozastavení.",
    "not-under-legal-hold": "Takové pozastavení objekt nemá; není co ukončit.",
    "destruction-begun": "Zničení objektu už začalo; pozastavit je nelze.",
    "examination-unavailable": "Podpisy v podání teď nelze přezkoumat; nic nebylo uloženo, zkuste to později.",
    "not-found": "Nic takového, co smíte vidět, zde není.",
    "unknown-object": "Takový uchovávaný objekt, verze ani soubor, který smíte vidět, zde není.",
    "object-destroyed": "Objekt byl záměrně zničen; kdy a proč, to uvádí záznam o zničení.",
    "unknown-profile": "Takový profil uchovávání zde není.",
    "evidence-pending": "Objekt je bezpečně uložen, důkaz ještě nemá; zkuste to po příští dávce.",
    "conflict": "Požadavek je v rozporu s tím, co je již uloženo.",
    "idempotency-conflict": "Tento klíč opakování již byl použit pro jiné podání.",
    "concurrent-change": "Totéž mezitím změnil někdo jiný; načtěte stav a rozhodněte znovu.",
    "already-exists": "Tento klíč nebo číslo již patří jinému obsahu.",
    "not-sealable": "Dokument nelze zapečetit tak, jak je; důvod je ve zprávě.",
    "unavailable": "Něco potřebného je teď nedostupné; úložiště to zkusí znovu.",
    "store-unavailable": "Potřebné úložiště kopií neodpovídá nebo do něj nelze zapisovat.",
    "not-there": "V úložišti kopií pod tímto klíčem nic není.",
    "not-as-expected": "V úložišti kopií už není to, co se tam čekalo.",
    "refused": "Úložiště kopií to nedovolilo: zámek, nebo chybějící právo.",
    "catalogue-unavailable": "Databáze katalogu neodpovídá, je zamčená nebo do ní nelze zapisovat.",
    "timestamp-authority-unavailable": "Autorita časových razítek neodpovídá.",
    "timestamp-refused": "Odpověď autority časových razítek není žádaným razítkem; nebude použita.",
    "timestamp-pending": "Časové razítko je uloženo; posoudí se, až budou údaje o řetězu certifikátů a zneplatnění.",
    "seal-key-unavailable": "Klíč k pečetění neodpovídá.",
    "lease-held": "Totéž právě provádí jiný proces.",
    "read-only": "Obnovené úložiště je jen ke čtení, dokud je neuvolní `trusted-archive restore --release --yes`.",
    "renewal-paused": "Obnova důkazů je pozastavena; pokračuje po `trusted-archive renewal resume`.",
    "clock-not-trusted": "Hodiny tohoto stroje odporují tomu, co je o čase známo; nic se podle nich neobnovuje.",
    "settings": "Nastavení nepopisuje úložiště, které by mohlo začít pracovat.",
    "schema-out-of-date": "Katalog má jiné schéma než tento program; spusťte `trusted-archive upgrade`.",
    "catalogue-unfinished": "Obnova katalogu byla přerušena; spusťte `trusted-archive rebuild-catalogue` znovu.",
    "damage": "Uložené bajty nejsou, jaké byly; chybné bajty se nikdy nevydávají.",
    "fixity": "Uložený soubor nemá zaznamenaný otisk a jiná kopie není v pořádku.",
    "inventory-corrupt": "Inventář OCFL nelze přečíst nebo odporuje svému otisku.",
    "catalogue-damaged": "Databáze katalogu je poškozena; spusťte `trusted-archive rebuild-catalogue`.",
    "evidence-broken": "Uložený důkaz neobstál při ověření.",
    "malformed-evidence": "Bajty nejsou důkazním záznamem podle RFC 4998 v povolených mezích.",
    "malformed-document": "Bajty nejsou dokumentem JSON očekávaného formátu v povolených mezích.",
    "protocol-refusal": "Požadavek žádá něco, co tento protokol zde nedává.",
    "not-supported": "Tohle služba nedělá; co dělá, uvádějí její profily.",
    "unknown-format": "Identifikátor formátu uchovávaného objektu zde není přijímán ani vydáván.",
    "format-mismatch": "Bajty uchovávaného objektu nemohou být ve formátu, který je pro ně uveden.",
    "unknown-evidence-format": "Důkaz se v tomto formátu nevydává.",
    "unknown-version": "Takovou verzi uchovávaný objekt nemá.",
    "unknown-mode": "Takový způsob smazání není.",
    "unknown-delta": "Změně v tomto formátu zde není rozumět.",
    "delta-problem": "Změnu nelze na to, co je uloženo, použít.",
    "unsafe-container": "Kontejner (ZIP) nelze bezpečně číst.",
}

_WEB = {
    "internal": (
        "Something unexpected happened; the request id leads the operator to the reason.",
        "Nastala neočekávaná chyba; příčinu najde provozovatel podle čísla požadavku.",
    ),
    "no-such-address": ("There is nothing at this address.", "Na této adrese nic není."),
    "method-not-allowed": ("This address does not take that method.", "Tato adresa takovou metodu nepřijímá."),
}


def error_classes() -> list[type[ArchiveError]]:
    """Every class of error that is known to the program, the root first."""
    assert api.refusals  # imported for its classes
    assert api.ts119512.refusals
    found: list[type[ArchiveError]] = [ArchiveError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found


def text_of(code: str, language: str) -> str:
    """The sentence for a code in `en` or `cs`; the most general one for a code that nobody knows."""
    if code in _WEB:
        return _WEB[code][language == "cs"]
    texts = _CZECH if language == "cs" else _english()
    return texts.get(code, texts["archive"])


def _english() -> dict[str, str]:
    """Of classes that share a code the sentence of the most general one, whichever of them are known."""
    return {kind("").code: " ".join((inspect.getdoc(kind) or "").split()) for kind in reversed(error_classes())}
