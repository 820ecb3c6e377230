"""Czech texts about destroying; see `api.locale.cs`."""

from __future__ import annotations

DESTROYING = {
    "Destroy an object for ever, in every store": "Navždy zničit objekt ve všech úložištích kopií",
    "why, such as the number of a disposal proceeding; it is kept for ever and must not name people": (
        "proč, například číslo jednací skartačního řízení; uchovává se navždy a nesmí jmenovat osoby"
    ),
    "do it: what is destroyed cannot be brought back": "provést: co je zničeno, nelze vrátit",
    "say what would be destroyed, and change nothing": "říci, co by bylo zničeno, a nic nezměnit",
    "keep no digests of it either: then its evidence record cannot be given any more": (
        "neponechat ani otisky: důkazní záznam pak už nelze vydat"
    ),
    "say --yes or --dry-run, not both": "uveďte --yes, nebo --dry-run, ne obojí",
    "{poid} with {versions} versions, {size} bytes, would be destroyed for ever: say --yes to do it": (
        "{poid} by byl navždy zničen (verzí {versions}, bajtů {size}): provede se s --yes"
    ),
    "{poid} with {versions} versions, {size} bytes, would be destroyed in every store": (
        "{poid} by byl zničen ve všech úložištích kopií (verzí {versions}, bajtů {size})"
    ),
    "Nothing was changed. A fresh time-stamp decides whether it may be done.": (
        "Nic se nezměnilo. Zda to lze provést, rozhodne čerstvé časové razítko."
    ),
    "{poid} with {versions} versions, {size} bytes, was destroyed on {time} (time-stamp of {tsa}): {reason}": (
        "{poid} byl zničen {time} (verzí {versions}, bajtů {size}; časové razítko od {tsa}): {reason}"
    ),
    "store {store}: nothing is left of it": "úložiště kopií {store}: nic z něj nezůstalo",
    "store {store} still holds it, and is asked again by itself: {reason}": (
        "úložiště kopií {store} jej ještě drží a bude samo požádáno znovu: {reason}"
    ),
    "destroyed": "zničeno",
    "destroyed on {time} (time-stamp of {tsa}): {reason}": "zničeno {time} (časové razítko od {tsa}): {reason}",
    "still to be purged in: {stores}": "zbývá smazat v: {stores}",
}
