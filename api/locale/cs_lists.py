"""Czech texts about trusted lists; see `api.locale.cs`."""

from __future__ import annotations

LISTS = {
    "The EU trusted lists that decisions rest on": "Důvěryhodné seznamy EU, o které se opírají rozhodnutí",
    "The lists of a snapshot": "Seznamy jednoho snímku",
    "Get the lists that there are now, and keep them on every store": (
        "Získat nynější seznamy a uložit je do všech úložišť kopií"
    ),
    "Write the lists of a snapshot into a folder, for `examine --trusted-list`": (
        "Zapíše seznamy snímku do složky, pro `examine --trusted-list`"
    ),
    "where the lists are written; made if need be": "kam se seznamy zapíší; složka se případně vytvoří",
    "this snapshot, not the newest": "tento snímek, ne nejnovější",
    "No trusted lists were taken yet.": "Žádné důvěryhodné seznamy zatím nebyly získány.",
    "snapshot {number} of {time}": "snímek {number} z {time}",
    "territory": "území",
    "issued": "vydáno",
    "next update": "příští vydání",
    "stale": "zastaralý",
}
