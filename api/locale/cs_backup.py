"""Czech texts of `backup` and `restore`; see `api.locale.cs`."""

from __future__ import annotations

BACKUP: dict[str, str] = {
    "Write what is not in the stores to one encrypted file": (
        "Zapíše do jednoho zašifrovaného souboru, co není v úložištích kopií"
    ),
    "Make a home again from a backup and the stores": "Obnoví domovskou složku ze zálohy a úložišť kopií",
    "the new file": "nový soubor",
    "where the passphrase is: env:NAME or file:PATH; it is never written on the command line": (
        "kde je heslo: env:JMÉNO nebo file:CESTA; na příkazový řádek se nikdy nepíše"
    ),
    "encrypt to this age public key instead; may be repeated": (
        "zašifrovat místo toho pro tento veřejný klíč age; lze uvést vícekrát"
    ),
    "say what would be in it, and write nothing": "jen říci, co by v ní bylo, a nic nezapsat",
    "the backup; without it a restore that was begun goes on": "záloha; bez ní se pokračuje v započaté obnově",
    "where the age secret key is: env:NAME or file:PATH": "kde je tajný klíč age: env:JMÉNO nebo file:CESTA",
    "what `backup` said; a backup to recipients needs it": "co řekl příkaz `backup`; záloha pro příjemce jej potřebuje",
    "this store is lost: nothing is asked of it; may be repeated": (
        "toto úložiště kopií je ztraceno a na nic se jej neptáme; lze uvést vícekrát"
    ),
    "verify the backup, say what would be done, and do nothing": "ověřit zálohu, říci, co by se stalo, a nic nedělat",
    "let the restored home be written to, if nothing is missing in it": (
        "dovolit zápis do obnovené domovské složky, nic-li jí nechybí"
    ),
    "do it: from then on the backup is out of date": "opravdu: od té chvíle je záloha zastaralá",
    "a SHA-512 digest is 128 hexadecimal digits": "otisk SHA-512 je 128 šestnáctkových číslic",
    "{path}: {count} files and the catalogue, {size} bytes": "{path}: {count} souborů a katalog, {size} bajtů",
    "Digest (SHA-512), to be kept apart from the file: {digest}": (
        "Otisk (SHA-512), uložte jej jinde než soubor: {digest}"
    ),
    "not in the backup, keep it yourself: {address}": "v záloze není, uchovejte sami: {address}",
    "left out: {path}": "vynecháno: {path}",
    "say which backup": "uveďte zálohu",
    "no restore is under way in {home}: say which backup": "v {home} žádná obnova neprobíhá: uveďte zálohu",
    "the restore was broken off before the files were placed: say which backup": (
        "obnova se přerušila dříve, než byly soubory na místě: uveďte zálohu"
    ),
    "Restored from a backup of {made}; read-only.": "Obnoveno ze zálohy z {made}; jen ke čtení.",
    "Catalogue and stores agree: `trusted-archive restore --release --yes` lets it be written to.": (
        "Katalog a úložiště kopií se shodují: zápis dovolí `trusted-archive restore --release --yes`."
    ),
    "The backup of {made} is whole: {count} files and the catalogue.": (
        "Záloha z {made} je celá: {count} souborů a katalog."
    ),
    "It asks for the store {store} at {place}.": "Žádá úložiště kopií {store} v {place}.",
    "in the way: {path}": "překáží: {path}",
    "the restored home would be written to from now on: say --yes to do it": (
        "do obnovené domovské složky by se odteď zapisovalo: potvrďte to volbou --yes"
    ),
    "Released: run `trusted-archive audit` now.": "Uvolněno: nyní spusťte `trusted-archive audit`.",
    "Entered from the stores: {events} events, {versions} versions, {destroyed} destroyed, {batches} batches": (
        "Doplněno z úložišť kopií: {events} událostí, {versions} verzí, {destroyed} zničených, {batches} dávek"
    ),
    "{store} does not answer: {reason}": "{store} neodpovídá: {reason}",
    "a secret is given by its address, env:NAME or file:PATH, and never itself": (
        "tajemství se uvádí adresou, env:JMÉNO nebo file:CESTA, nikdy samo"
    ),
}
