"""Czech texts of `stores`; see `api.locale.cs`."""

from __future__ import annotations

STORES: dict[str, str] = {
    "Who holds copies, and what they lack": "Kdo drží kopie a co komu chybí",
    "Every store, and what it lacks": "Všechna úložiště kopií a co jim chybí",
    "Let a store of the settings take part, and fill it": "Zapojí úložiště kopií uvedené v nastavení a naplní je",
    "Write nothing more to a store, and copy what only it holds to the others": (
        "Do úložiště kopií se už nic nezapíše a co má jen ono, zkopíruje se do ostatních"
    ),
    "Part with a store that holds nothing that others lack": (
        "Vyřadí úložiště kopií, které nemá nic, co by ostatním chybělo"
    ),
    "Which objects stores lack, or hold in another form": "Které objekty v úložištích kopií chybějí nebo se liší",
    "Give stores what they lack, now": "Hned doplní úložištím kopií, co jim chybí",
    "Attack a locked canary in each store that is to lock what it keeps": (
        "Zaútočí na zamčený zkušební objekt v každém úložišti kopií, které má zamykat"
    ),
    "the store, by its name in the settings": "úložiště kopií, jménem z nastavení",
    "do it: the store does not come back under this name": "provést: pod tímto jménem se úložiště kopií už nevrátí",
    "the store is gone: what only it held is lost with it": (
        "úložiště kopií je pryč: co mělo jen ono, je ztraceno s ním"
    ),
    "these stores alone; otherwise all that take part": "jen tato úložiště kopií; jinak všechna zapojená",
    "required": "povinné",
    "site": "lokalita",
    "lacks": "chybí",
    "place": "umístění",
    "fault": "závada",
    "yes": "ano",
    "no": "ne",
    "member": "zapojené",
    "filling": "plní se",
    "draining": "vyprazdňuje se",
    "retired": "vyřazené",
    "new": "nové",
    "the store {store} would be parted with for good: say --yes to do it": (
        "úložiště kopií {store} by se natrvalo vyřadilo: provede se s --yes"
    ),
    "{store} takes no part any more: remove it from the settings": "{store} už není zapojeno: odstraňte je z nastavení",
    "{count} objects compared": "porovnáno objektů: {count}",
    "{store} lacks {count} objects, the first {first}": "{store}: chybí objektů: {count}, první {first}",
    "differs: {object}": "liší se: {object}",
    "{store}: its locks ({mode}) held against every attack": "{store}: zámky ({mode}) odolaly všem útokům",
    "{store}: its locks do not hold: {reason}": "{store}: zámky nedrží: {reason}",
    "No store is to lock what it keeps.": "Žádné úložiště kopií nemá zamykat.",
    "{store}: {paid} objects copied, {owed} still lacking": "{store}: zkopírováno objektů: {paid}, ještě chybí: {owed}",
    "No store lacks anything.": "Žádnému úložišti kopií nic nechybí.",
    "copies": "kopie",
    "locks": "zámky",
}
