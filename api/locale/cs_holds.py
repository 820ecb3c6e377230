"""Czech texts about legal holds; see `api.locale.cs`."""

from __future__ import annotations

HOLDS = {
    "Put objects under a legal hold, so that nobody destroys them, or lift it": (
        "Pozastavit skartační operaci: objekty nikdo nezničí, dokud pozastavení neskončí; nebo je ukončit"
    ),
    "what the hold is called, such as the number of a court file; an object may be under several": (
        "jak se pozastavení jmenuje, třeba spisová značka soudu; objekt jich může mít více"
    ),
    "lift the hold": "pozastavení ukončit",
    "show what is held since when, by whom and why": "ukázat, co je pozastaveno, odkdy, kým a proč",
    "say which objects, and --reason; or --list": "uveďte objekty a --reason; nebo --list",
    "--list stands alone, or with POIDs and --name": "--list stojí samo, nebo s POID a --name",
    "Nothing is under a legal hold.": "Žádná skartační operace není pozastavena.",
    "{poid}: the legal hold {hold} is lifted": "{poid}: pozastavení {hold} je ukončeno",
    "{poid}: under the legal hold {hold} already, since {time}": "{poid}: pozastavení {hold} už trvá, od {time}",
    "{poid}: under the legal hold {hold}": "{poid}: skartační operace je pozastavena ({hold})",
    "store {store} has yet to do it, and is asked again by itself: {reason}": (
        "úložiště kopií {store} to ještě neprovedlo a bude požádáno samo: {reason}"
    ),
    "under the legal hold {hold} since {time}: it cannot be destroyed": (
        "skartační operace je pozastavena ({hold}) od {time}: objekt nelze zničit"
    ),
    "hold": "pozastavení",
    "since": "od",
    "by": "kdo",
    "reason": "důvod",
}
