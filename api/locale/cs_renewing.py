"""Czech texts about renewing; see `api.locale.cs`."""

from __future__ import annotations

RENEWING = {
    "Renew evidence before it weakens": "Obnovit důkazy dříve, než zeslábnou",
    "Renew what is due, or everything": "Obnovit, co je na řadě, nebo všechno",
    "What is due, what waits, what comes next": "Co je na řadě, co čeká a co přijde",
    "Let renewals stop at their next step": "Zastavit obnovu při jejím příštím kroku",
    "Let renewals go on": "Nechat obnovu pokračovat",
    "time-stamp renewals alone: no document is read": "jen obnovu časových razítek: žádný dokument se nečte",
    "hash-tree renewals alone, to this digest (sha512, sha384, sha3-512): every document is read": (
        "jen obnovu hašovacích stromů, na tento otisk (sha512, sha384, sha3-512): přečte se každý dokument"
    ),
    "what is due (this is meant when nothing is said)": "co je na řadě (platí, není-li uvedeno nic)",
    "everything, due or not; this is the confirmation": "všechno, ať je to na řadě, nebo ne; tím je to potvrzeno",
    "the time-stamp authority to take, by its name in the settings": (
        "která autorita časových razítek se použije, jménem z nastavení"
    ),
    "say --timestamps or --hash-tree, not both": "uveďte --timestamps, nebo --hash-tree, ne obojí",
    "say --due or --all, not both": "uveďte --due, nebo --all, ne obojí",
    "renewals": "obnovy",
    "covering": "připravuji razítka",
    "hashing": "čtu dokumenty",
    "Nothing is due.": "Na řadě nic není.",
    "renewal {number}: {kind}, line {line} ({digest}): {batches} batches, {documents} versions, stamped "
    "{time} by {tsa}": (
        "obnova {number}: {kind}, linie {line} ({digest}): dávek {batches}, verzí {documents}, razítko {time} od {tsa}"
    ),
    "{kind}, line {line} ({digest}): {batches} batches, {documents} versions, by {tsa}": (
        "{kind}, linie {line} ({digest}): dávek {batches}, verzí {documents}, od {tsa}"
    ),
    "{kind}, line {line} ({digest}): {batches} batches wait: {reason}": (
        "{kind}, linie {line} ({digest}): dávek {batches} čeká: {reason}"
    ),
    "{head} cannot be covered: {reason}": "{head} nelze pokrýt: {reason}",
    "renewal {number}, {time}: an answer was lost: {reason}": "obnova {number}, {time}: ztratila se odpověď: {reason}",
    "alarm: {reason}": "poplach: {reason}",
    "an answer was lost: {reason}": "odpověď se ztratila: {reason}",
    "{poid} v{version} drops out, its earlier evidence stays: {reason}": (
        "{poid} v{version} vypadává, jeho dřívější důkaz zůstává: {reason}"
    ),
    "batch {batch}, line {line}: {kind} cannot be done: {reason}": (
        "dávka {batch}, linie {line}: {kind} není možná: {reason}"
    ),
    "paused since {time}: trusted-archive renewal resume": "pozastaveno od {time}: trusted-archive renewal resume",
    "{chains} chains of evidence, {renewals} renewals so far": "řetězů důkazů {chains}, dosud obnov {renewals}",
    "renewal {number} waits for its time-stamp since {time}": "obnova {number} čeká na časové razítko od {time}",
    "due now: {kind} of {count} chains: trusted-archive renewal run --due": (
        "na řadě: {kind}, řetězů {count}: trusted-archive renewal run --due"
    ),
    "next: {kind} from {time} on: {reason}": "příště: {kind} od {time}: {reason}",
    "Renewals are paused.": "Obnova je pozastavena.",
    "Renewals go on.": "Obnova pokračuje.",
}
