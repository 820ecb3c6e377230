"""Czech texts of `keys` and `organisations`; see `api.locale.cs`."""

from __future__ import annotations

ACCESS: dict[str, str] = {
    "the last moment of the key (UTC); otherwise it has none": "poslední okamžik klíče (UTC); jinak platí bez omezení",
    "of what its role may do this alone; may be repeated": "z toho, co smí jeho role, jen toto; lze opakovat",
    "how many requests a minute are answered; otherwise all": "kolik požadavků za minutu se zodpoví; jinak všechny",
    "for how many days the old key goes on being good (default: 7)": "kolik dní ještě platí starý klíč (výchozí: 7)",
    "the organisation (IČO)": "organizace (IČO)",
    "what the organisation is called": "název organizace",
    "the identifier is no IČO": "identifikátor není IČO",
    "how many objects it may have (`none`: no limit)": "kolik objektů smí mít (`none`: bez omezení)",
    "how many bytes all their versions may have (`none`: no limit)": (
        "kolik bajtů smějí mít všechny jejich verze (`none`: bez omezení)"
    ),
    "how many requests a minute are answered (`none`: all)": "kolik požadavků za minutu se zodpoví (`none`: všechny)",
    "{word} is not a whole number": "{word} není celé číslo",
    "{word} is not a date": "{word} není datum",
    "requests a minute": "požadavků za minutu",
    "name": "název",
    "open": "otevřená",
    "closed": "uzavřená",
    "ends": "končí",
    "ended": "skončil",
    "{key} is good until {end}": "{key} platí do {end}",
    "No organisations yet: trusted-archive organisations add": (
        "Zatím žádné organizace: trusted-archive organisations add"
    ),
    "Organisations: add, list, change, close, reopen": "Organizace: přidání, výpis, změna, uzavření, otevření",
    "Add an organisation whose documents are kept": "Přidá organizaci, jejíž dokumenty se uchovávají",
    "Every organisation, and what it uses": "Všechny organizace a co využívají",
    "Change the name or the limits of an organisation": "Změní název nebo omezení organizace",
    "Take nothing more in for an organisation; what is there stays": (
        "Pro organizaci se už nic nepřijme; co tu je, zůstává"
    ),
    "Take in for an organisation again": "Pro organizaci se zase přijímá",
    "API keys: create, list, rotate, revoke": "Klíče k rozhraní: vytvořit, vypsat, vyměnit, zneplatnit",
    "Replace a key by a new one; both are good for a while": "Vymění klíč za nový; chvíli platí oba",
}

CHANGES: dict[str, str] = {
    "What has changed since when, in order": "Co se od kdy změnilo, popořadě",
    "go on from there; otherwise from the beginning": "pokračovat odtud; jinak od začátku",
    "at most so many (default: 100)": "nejvýše tolik (výchozí: 100)",
    "Who is told what changes": "Komu se oznamují změny",
    "Every receiver, and how far it has come": "Všichni příjemci a kam až došli",
    "Offer a receiver again, now, what it did not take": "Hned znovu nabídne příjemci, co nepřevzal",
    "the receiver, by its name in the settings": "příjemce, jménem z nastavení",
    "The settings name no receivers ([[webhook]]).": "Nastavení neuvádí žádné příjemce ([[webhook]]).",
    "next: {cursor}": "další: {cursor}",
    "change": "změna",
    "object": "objekt",
    "receiver": "příjemce",
    "delivered": "doručeno",
    "given up": "vzdáno",
    "waits": "čeká",
    "renewed": "obnoveno",
    "damaged": "poškozeno",
    "repaired": "opraveno",
}

SEARCH: dict[str, str] = {
    "Find versions by words, date, organisation, state, or by their bytes": (
        "Najde verze podle slov, data, organizace, stavu nebo podle obsahu"
    ),
    "all of them; `nov*` stands for all that begin so": "všechna; `nov*` znamená všechna, která tak začínají",
    "whose documents; otherwise all": "čí dokumenty; jinak všech",
    "these alone": "jen tyto",
    "deposited then or later": "uloženo tehdy nebo později",
    "deposited before": "uloženo předtím",
    "with a file of this digest": "se souborem tohoto otisku",
    "with a file of these very bytes": "se souborem právě tohoto obsahu",
    "{word} is no SHA-512 digest": "{word} není otisk SHA-512",
    "say --sha512 or --file, not both": "uveďte --sha512, nebo --file, ne obojí",
    "Nothing was found.": "Nic nenalezeno.",
    "cannot read {path}: {reason}": "nelze číst {path}: {reason}",
}
