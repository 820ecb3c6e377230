"""Czech texts for people. The keys are the English texts of the program; see `api.texts`.

Rules kept here
 * Every text of the command line has its Czech one, with the same `{facts}`; a test holds that none is
   missing and none is left over.
 * The product is a "důvěryhodné úložiště" or a "digitální spisovna". What only a trust service provider
   may call itself is never said.
"""

from __future__ import annotations

from api.locale.cs_access import ACCESS as _ACCESS
from api.locale.cs_access import CHANGES as _CHANGES
from api.locale.cs_access import SEARCH as _SEARCH
from api.locale.cs_backup import BACKUP as _BACKUP
from api.locale.cs_destroying import DESTROYING as _DESTROYING
from api.locale.cs_examining import EXAMINING as _EXAMINING
from api.locale.cs_holds import HOLDS as _HOLDS
from api.locale.cs_lists import LISTS as _LISTS
from api.locale.cs_quarantine import QUARANTINE as _QUARANTINE
from api.locale.cs_renewal import DRILLS as _DRILLS
from api.locale.cs_renewal import PLANS as _PLANS
from api.locale.cs_renewal import REASONS as _REASONS
from api.locale.cs_renewing import RENEWING as _RENEWING
from api.locale.cs_repair import FIXITY as _FIXITY
from api.locale.cs_repair import REPAIR as _REPAIR
from api.locale.cs_sealing import SEALING as _SEALING
from api.locale.cs_stores import STORES as _STORES

_HELP = {
    "usage: ": "použití: ",
    "options": "volby",
    "positional arguments": "argumenty",
    "show this help and exit": "ukázat tuto nápovědu a skončit",
    "show the program's version": "ukázat verzi programu",
    "COMMAND": "PŘÍKAZ",
    "Example": "Příklad",
    "Keeps documents provably genuine for decades.": "Uchovává dokumenty prokazatelně pravé po desetiletí.",
    "the archive's home (default: ${variable}, else ./{folder})": (
        "domovská složka úložiště (není-li uvedena: ${variable}, jinak ./{folder})"
    ),
    "answer with one JSON document": "odpovědět jedním dokumentem JSON",
    "say more on the way": "průběžně říkat více",
    "this version; the newest one otherwise": "tato verze; jinak nejnovější",
    "the preservation object": "uchovávaný objekt",
    "the preservation objects": "uchovávané objekty",
    "a file, or a folder with its files": "soubor, nebo složka se svými soubory",
    "a JSON object, kept verbatim": "objekt JSON, který se uchová beze změny",
    "repeating with the same key deposits once": "opakování se stejným klíčem uloží objekt jen jednou",
    "the preservation profile; the home's default otherwise": "profil uchovávání; jinak výchozí profil úložiště",
    "whose documents these are (IČO); the home's own otherwise": (
        "čí dokumenty to jsou (IČO); jinak vlastní organizace úložiště"
    ),
    "the address to listen on": "adresa, na které se naslouchá",
    "the port to listen on (0: any free one)": "port, na kterém se naslouchá (0: kterýkoli volný)",
    "the folder to write to; nothing in it is overwritten": "složka, do které se zapíše; nic v ní se nepřepíše",
    "the whole package: description and metadata beside data/": "celý balíček: popis a metadata vedle data/",
    "where to write the record": "kam zapsat důkazní záznam",
    "every redundant record, as FILE.<line>.ers when several": (
        "všechny souběžné záznamy; je-li jich více, jako SOUBOR.<linie>.ers"
    ),
    "write it to a file": "zapsat do souboru",
    "every version of every object": "každou verzi každého objektu",
    "where to write the bundle": "kam zapsat balíček",
    "the receipt, or the receipt sealed once more as a JSON web signature, compact or flattened": (
        "potvrzení, nebo potvrzení znovu zapečetěné jako webový podpis JSON, v jednom řádku nebo jako objekt JSON"
    ),
    "our bundle, or an ASiC-E container with the evidence records inside": (
        "náš balíček, nebo kontejner ASiC-E s důkazními záznamy uvnitř"
    ),
    "the store to read, by name or folder; otherwise the one that holds most": (
        "úložiště kopií, ze kterého se čte, jménem nebo složkou; jinak to, které obsahuje nejvíce"
    ),
    "say what would be done, and do nothing": "říci, co by se stalo, a nic neudělat",
    "what the key is for": "k čemu klíč je",
    "what the key may do (default: depositor)": "co klíč smí (není-li uvedeno: depositor)",
    "whose documents the key may see; otherwise a depositor's the home's own, any other key all": (
        "čí dokumenty klíč smí vidět; jinak klíč pro vkládání vlastní organizaci úložiště, ostatní klíče všechny"
    ),
    "the key, as `keys list` names it": "klíč, jak jej uvádí `keys list`",
    "Make a new home, or complete one": "Založit domovskou složku, nebo dokončit založení",
    "Answer HTTP requests and run the scheduler": "Odpovídat na požadavky HTTP a spouštět plánované úlohy",
    "Run the scheduled jobs, in a process of their own": "Spouštět plánované úlohy ve vlastním procesu",
    "run no scheduled jobs: `trusted-archive work` does them": (
        "nespouštět plánované úlohy: dělá je `trusted-archive work`"
    ),
    "this job alone; may be repeated": "jen tuto úlohu; lze opakovat",
    "every job but this one; may be repeated": "všechny úlohy kromě této; lze opakovat",
    "Take files in: each PATH becomes one preservation object": (
        "Přijmout soubory: z každé cesty PATH je jeden uchovávaný objekt"
    ),
    "Close and prove what awaits evidence": "Uzavřít a opatřit důkazem, co na důkaz čeká",
    "How the archive is": "Jak na tom úložiště je",
    "Everything, in the order of deposit": "Všechno, v pořadí přijetí",
    "One preservation object": "Jeden uchovávaný objekt",
    "Give documents back": "Vydat dokumenty",
    "Write the evidence record (RFC 4998)": "Zapsat důkazní záznam (RFC 4998)",
    "The sealed receipt": "Zapečetěné potvrzení o přijetí",
    "Prove anew, from stored bytes": "Ověřit znovu, z uložených bajtů",
    "A new version; the PATHs are its complete content": "Nová verze; cesty PATH jsou její úplný obsah",
    "Write a bundle that proves itself without us": "Zapsat balíček, který obstojí i bez nás",
    "Read every byte of every copy and all evidence": "Přečíst každý bajt každé kopie a všechny důkazy",
    "What happened to an object; `trace verify` proves the whole trail anew": (
        "Co se s objektem dělo; `trace verify` znovu prokáže celou stopu"
    ),
    "the preservation object, or the word `verify`": "uchovávaný objekt, nebo slovo `verify`",
    "Make the catalogue again from one store": "Vytvořit katalog znovu z jednoho úložiště kopií",
    "The published preservation profiles": "Vyhlášené profily uchovávání",
    "Bring an older home to this version": "Převést starší domovskou složku na tuto verzi",
    "Check everything the archive rests on": "Prověřit vše, na čem úložiště stojí",
    "Make a key; its secret is shown once": "Vytvořit klíč; jeho tajemství se ukáže jen jednou",
    "All keys, revoked ones too": "Všechny klíče, i zneplatněné",
    "Revoke a key at once": "Okamžitě zneplatnit klíč",
}

_MISTAKES = {
    "Error": "Chyba",
    "Warning": "Upozornění",
    "see": "viz",
    "missing: {names}": "chybí: {names}",
    "unknown: {names}": "neznámé: {names}",
    "{name} needs a value": "{name} vyžaduje hodnotu",
    "{name} needs at least one value": "{name} vyžaduje aspoň jednu hodnotu",
    "{name} takes no value, not even {word}": "{name} nemá hodnotu, ani {word}",
    "{name}: {word} is not one of {choices}": "{name}: {word} není nic z nabídky {choices}",
    "{word} is not a port": "{word} není číslo portu",
    "{word} is not a version number": "{word} není číslo verze",
    "an empty value is not taken": "prázdná hodnota se nepřijímá",
    "the same names and content are deposited once: an interrupted command may be repeated": (
        "stejné názvy a obsah se uloží jen jednou: přerušený příkaz lze zopakovat"
    ),
    "--once makes the key itself: leave out --key": "--once si klíč vytvoří sám: vynechte --key",
    "one idempotency key stands for one object: deposit one PATH with --key": (
        "jeden klíč opakování platí pro jeden objekt: s --key uveďte jednu cestu PATH"
    ),
    "name POIDs, or say --all": "uveďte POID, nebo --all",
    "--version goes with one POID": "--version lze uvést k jednomu POID",
    "there is no store {name}; there are: {names}": "úložiště kopií {name} neexistuje; jsou tu: {names}",
    "cancelled; what was acknowledged is kept, the rest can be repeated": (
        "přerušeno; co bylo potvrzeno, je uloženo, zbytek lze zopakovat"
    ),
    "{what} (a fault of this program; --verbose says where it came from)": (
        "{what} (chyba tohoto programu; odkud pochází, řekne --verbose)"
    ),
    "events wait for the trail: {reason}": "události čekají na zápis do auditní stopy: {reason}",
}

_STATES = {
    "replicated": "uloženo",
    "evidenced": "s důkazem",
    "REFUSED": "ODMÍTNUTO",
    "as before": "jako dříve",
    "in order": "v pořádku",
    "revoked": "zneplatněn",
    "valid": "platný",
    "ok": "ano",
    "BAD": "VADA",
    "note": "poznámka",
}

_PROGRESS = {
    "depositing": "přijímám",
    "collecting": "sbírám do dávky",
    "stamping": "žádám o razítko",
    "retrieving": "vydávám",
    "exporting": "vydávám balíček",
    "verifying": "ověřuji",
    "verifying evidence": "ověřuji důkazy",
    "trail": "auditní stopa",
    "objects": "objektů",
    "batches": "dávek",
    "reading {store}": "čtu {store}",
    "comparing {store}": "porovnávám {store}",
    "{rate}/s": "{rate}/s",
    "{time} left": "zbývá {time}",
}

_HEADS = {
    "version": "verze",
    "versions": "verzí",
    "status": "stav",
    "received": "přijato",
    "files": "souborů",
    "bytes": "bajtů",
    "stores": "úložišť kopií",
    "events": "událostí",
    "segments": "segmentů stopy",
    "rows": "řádků katalogu",
    "pending": "čekajících na zařazení",
    "anchors": "zapečetěných hlav",
    "statements": "prohlášení dávek",
    "organisation": "organizace",
    "key": "klíč",
    "number": "číslo",
    "time": "čas",
    "event": "událost",
    "outcome": "výsledek",
    "code": "kód",
    "who": "kdo",
    "profile": "profil",
    "title": "název",
    "role": "role",
    "created": "vytvořen",
    "last used": "naposledy použit",
    "state": "stav",
    "label": "označení",
}

_ANSWERS = {
    "TEST TRUST: these time-stamps and seals prove nothing to anybody else.": (
        "ZKUŠEBNÍ DŮVĚRA: tato časová razítka a pečeti nikomu dalšímu nic nedokazují."
    ),
    "test trust: time-stamps and seals of this archive prove nothing to anybody else": (
        "zkušební důvěra: časová razítka a pečeti tohoto úložiště nikomu dalšímu nic nedokazují"
    ),
    "The home is ready: {home}": "Domovská složka je připravena: {home}",
    "Next: trusted-archive deposit PATH, then trusted-archive preserve": (
        "Dále: trusted-archive deposit PATH a potom trusted-archive preserve"
    ),
    "Nothing is here yet: trusted-archive deposit PATH": "Zatím tu nic není: trusted-archive deposit PATH",
    "{objects} objects, {versions} versions: {evidenced} evidenced, {replicated} replicated and waiting": (
        "objektů {objects}, verzí {versions}: s důkazem {evidenced}, uloženo a čeká na důkaz {replicated}"
    ),
    "What waits is proven by: trusted-archive preserve": "Co čeká, opatří důkazem: trusted-archive preserve",
    "trail: {size} events, {pending} pending": "auditní stopa: událostí {size}, čeká {pending}",
    "store {name}: {state}": "úložiště kopií {name}: {state}",
    "proven to exist since": "prokazatelně existuje od",
    "exists since": "existuje od",
    "not proven yet: trusted-archive preserve, or wait for the next batch": (
        "zatím bez důkazu: trusted-archive preserve, nebo vyčkejte příští dávky"
    ),
    "safely stored, not evidenced yet: run `preserve` or wait for the next batch": (
        "bezpečně uloženo, zatím bez důkazu: spusťte `preserve`, nebo vyčkejte příští dávky"
    ),
    "batch {number}: {objects} objects, {outcome}": "dávka {number}: objektů {objects}, {outcome}",
    "proven since {time}": "prokázáno od {time}",
    "waits: {reason}": "čeká: {reason}",
    "Nothing awaits evidence.": "Na důkaz nic nečeká.",
    "There are several records: {lines}; --all-records writes them all.": (
        "Záznamů je více: {lines}; všechny zapíše --all-records."
    ),
    "Check it anywhere: trusted-archive-verify {path} --trust CERTS": (
        "Ověřit lze kdekoli: trusted-archive-verify {path} --trust CERTS"
    ),
    "{count} versions checked: {verdict}": "ověřeno verzí {count}: {verdict}",
    "{count} findings; checked: {checked}": "nálezů {count}; prověřeno: {checked}",
    "No keys yet: trusted-archive keys create": "Zatím žádné klíče: trusted-archive keys create",
    "The secret is shown only now. Send it as: Authorization: Bearer SECRET": (
        "Tajemství se ukazuje jen teď. Posílejte je takto: Authorization: Bearer TAJEMSTVÍ"
    ),
    "From {store}: {objects} objects, {versions} versions, {batches} batches, {events} events": (
        "Z úložiště kopií {store}: objektů {objects}, verzí {versions}, dávek {batches}, událostí {events}"
    ),
    "The old catalogue is kept as {path}": "Starý katalog zůstává jako {path}",
    "API keys cannot be rebuilt: make new ones with `trusted-archive keys create`.": (
        "Klíče k rozhraní obnovit nelze: vytvořte nové příkazem `trusted-archive keys create`."
    ),
    "This store is not complete: `trusted-archive audit` compares it with the others.": (
        "Toto úložiště kopií není úplné: s ostatními je porovná `trusted-archive audit`."
    ),
    "Nothing to upgrade.": "Není co převádět.",
    "Nothing was changed: without --dry-run this would be done.": "Nic se nezměnilo: bez --dry-run by se stalo toto.",
    "Backup: {path}": "Záloha: {path}",
}

_DOCTOR = {
    "settings": "nastavení",
    "keys and trust anchors": "klíče a kotvy důvěry",
    "package names": "názvy balíků",
    "algorithm table": "tabulka algoritmů",
    "key file": "soubor s klíčem",
    "free space": "volné místo",
    "independence of stores": "nezávislost úložišť kopií",
    "store": "úložiště kopií",
    "published policies": "vyhlášené profily a tabulky",
    "catalogue": "katalog",
    "agreement": "shoda katalogu s kopiemi",
    "client certificates": "klientské certifikáty",
    "durability of the catalogue": "trvanlivost zápisů do katalogu",
    "clock": "hodiny",
    "time-stamp authority": "autorita časových razítek",
    "seal": "pečeť",
}

TEXTS: dict[str, str] = {
    **_HELP,
    **_MISTAKES,
    **_STATES,
    **_PROGRESS,
    **_HEADS,
    **_ANSWERS,
    **_DOCTOR,
    **_ACCESS,
    **_CHANGES,
    **_SEARCH,
    **_DESTROYING,
    **_QUARANTINE,
    **_HOLDS,
    **_LISTS,
    **_EXAMINING,
    **_PLANS,
    **_DRILLS,
    **_REASONS,
    **_RENEWING,
    **_REPAIR,
    **_FIXITY,
    **_STORES,
    **_SEALING,
    **_BACKUP,
}
