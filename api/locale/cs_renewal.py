"""Czech texts about renewals; see `api.locale.cs`."""

from __future__ import annotations

REASONS = {
    "the time-stamp unit's certificate ({tsa}) ends on {day}": (
        "certifikát jednotky časových razítek ({tsa}) končí {day}"
    ),
    "a certificate above the time-stamp unit ({tsa}) ends on {day}": (
        "certifikát nadřazený jednotce časových razítek ({tsa}) končí {day}"
    ),
    "{algorithm}, which the time-stamp is signed with, is not suitable from {day} on": (
        "{algorithm}, jímž je časové razítko podepsáno, není od {day} vhodný"
    ),
    "{algorithm}, used inside the time-stamp, is not suitable from {day} on": (
        "{algorithm}, použitý uvnitř časového razítka, není od {day} vhodný"
    ),
    "{algorithm}, which the hash tree is built with, is not suitable from {day} on": (
        "{algorithm}, jímž je vytvořen hašovací strom, není od {day} vhodný"
    ),
    "reported on {day}: {what}": "oznámeno {day}: {what}",
    "ordered by an operator on {day}": "nařízeno správcem dne {day}",
    "nothing says when the time-stamp of {tsa} ends": "není známo, kdy časové razítko od {tsa} končí",
    "the time-stamp of {tsa} lacks chain or revocation data: they are fetched first (RFC 4998 4.2)": (
        "časovému razítku od {tsa} chybí řetěz certifikátů nebo údaje o zneplatnění: nejdřív se opatří (RFC 4998 4.2)"
    ),
    "it ended on {day}: a renewal would leave a gap (RFC 4998 5.3); a redundant record may still hold": (
        "skončilo {day}: obnova by nechala mezeru (RFC 4998 5.3); souběžný záznam může ještě platit"
    ),
    "{what}, and nothing had covered the time-stamp before; a redundant record may still hold": (
        "{what}, a časové razítko do té doby nic nepokrylo; souběžný záznam může ještě platit"
    ),
    "the table {table} knows no digest for new evidence that outlives {algorithm}: load a newer table": (
        "tabulka {table} nezná pro nové důkazy otisk, který by přečkal {algorithm}: načtěte novější tabulku"
    ),
    "{chains} of {holding} chains are due at once, more than {share}: look at the reasons, then confirm with "
    "`trusted-archive renewal run --all`": (
        "naráz je třeba obnovit {chains} z {holding} řetězů, více než {share}: prohlédněte si důvody a potvrďte "
        "příkazem `trusted-archive renewal run --all`"
    ),
}

PLANS = {
    "try which digest algorithms each time-stamp authority takes; uses five time-stamps, which may cost": (
        "vyzkoušet, které otisky každá autorita časových razítek přijímá; spotřebuje pět razítek, což může něco stát"
    ),
    "What will have to be renewed until when, and why": "Co bude třeba do kdy obnovit a proč",
    "a year or a day; otherwise for 35 years": "rok, nebo den; jinak na 35 let",
    "draw it as a timeline, too": "nakreslit také jako časovou osu",
    "the speed of re-reading; it is measured otherwise": "rychlost opětovného čtení; jinak se změří",
    "how long certificates of time-stamp units to come are supposed to live (default: 5)": (
        "jak dlouho mají platit budoucí certifikáty jednotek časových razítek (není-li uvedeno: 5)"
    ),
    "{word} is not a year or a day such as 2060-12-31": "{word} není rok ani den, jako je 2060-12-31",
    "{word} is not a number from 0.1 to 100000": "{word} není číslo od 0.1 do 100000",
    "--until lies in the past": "--until leží v minulosti",
    "measuring the speed of reading": "měřím rychlost čtení",
    "not signed by anybody": "nikým nepodepsáno",
    "time-stamp renewal": "obnova razítkem",
    "hash-tree renewal": "obnova hašovacího stromu",
    "Renewals from {made} until {until}: {count}, one time-stamp each": (
        "Obnovy od {made} do {until}: {count}, každá s jedním časovým razítkem"
    ),
    "Renewals from {first} to {last}": "Obnovy v letech {first}–{last}",
    "{documents} documents, {count} renewals, one time-stamp each": (
        "dokumentů {documents}, obnov {count}, každá s jedním časovým razítkem"
    ),
    "Nothing falls due until then.": "Do té doby není co obnovovat.",
    "Nothing is evidenced yet.": "Zatím nic nemá důkaz.",
    "PROBLEM from {day} on, line {line}, {batches} batches ({numbers}): {why}": (
        "POTÍŽ od {day}, linie {line}, dávek {batches} ({numbers}): {why}"
    ),
    "due": "třeba od",
    "what": "co",
    "line": "linie",
    "documents": "dokumentů",
    "to read": "ke čtení",
    "basis": "opora",
    "why": "proč",
    "known": "známo",
    "assumed": "předpoklad",
    "Time-stamps to obtain: {count}": "Časových razítek k získání: {count}",
    "To be read again: {size}": "Znovu k přečtení: {size}",
    "How long that takes is not known: too little content to measure; give --speed": (
        "Jak dlouho to potrvá, není známo: k měření je málo obsahu; uveďte --speed"
    ),
    "That takes about {hours} hours": "To potrvá asi {hours} hodin",
    "The plan is cut off here: it has too many renewals. Name an earlier --until.": (
        "Plán zde končí: má příliš mnoho obnov. Uveďte dřívější --until."
    ),
    "Assumed: certificates of time-stamp units live {unit} years, those above them {above}; what replaces a "
    "signature algorithm is {successor}; no new deposits. Algorithms: {table}.": (
        "Předpoklady: certifikáty jednotek časových razítek platí {unit} let, nadřazené {above}; podpisový algoritmus "
        "nahradí {successor}; bez nových dokumentů. Algoritmy: {table}."
    ),
    "Speed, as given: {speed} MB/s": "Rychlost, jak byla zadána: {speed} MB/s",
    "Speed, measured over {size}: {speed} MB/s": "Rychlost, změřená na {size}: {speed} MB/s",
    "hollow: rests on assumptions": "prázdné: stojí na předpokladech",
    "time left to do it before the proof would lapse": "čas, který zbývá, než by důkaz zanikl",
    "not possible as things are": "za daného stavu nelze",
    "Algorithms: {table}; the holding of {day}, without deposits to come": (
        "Algoritmy: {table}; dokumenty uložené k {day}, bez budoucích"
    ),
}

DRILLS = {
    "Which algorithms are good until when": "Které algoritmy jsou vhodné do kdy",
    "look at a list in a file; it is not used": "prohlédnout seznam v souboru; nepoužije se",
    "write it as a DSSC list (.xml or .json)": "zapsat jej jako seznam DSSC (.xml nebo .json)",
    "as if an algorithm ended on that day, and not later; may be repeated": (
        "jako by algoritmus skončil toho dne, ne později; lze opakovat"
    ),
    "only an algorithm can end in a list of algorithms": "v seznamu algoritmů může skončit jen algoritmus",
    "name a file that ends in .xml or .json": "uveďte soubor, který končí na .xml nebo .json",
    "recommended": "doporučený",
    "legacy": "dosluhující",
    "discontinued": "ukončený",
    "algorithm": "algoritmus",
    "key size": "délka klíče",
    "good before": "vhodný do",
    "source": "pramen",
    "What would be lost if something broke, and what would save it; tried on copies": (
        "Co by se ztratilo, kdyby něco selhalo, a co by to zachránilo; vyzkouší se na kopiích"
    ),
    "what falls: a digest (sha512), a signature scheme (rsa), tsa:NAME or ca:NAME": (
        "co selže: otisk (sha512), podpisové schéma (rsa), tsa:JMÉNO nebo ca:JMÉNO"
    ),
    "the day on which it falls": "den, kdy selže",
    "read up to so much content to try a hash-tree renewal; beyond it, estimate (default: 2)": (
        "přečíst nejvýše tolik obsahu při zkoušce obnovy hašovacího stromu; nad to odhadnout (není-li uvedeno: 2)"
    ),
    "--at lies in the past: a drill is about a day to come": "--at leží v minulosti: cvičení je o dni, který přijde",
    "trying without renewal": "zkouším bez obnovy",
    "trying with renewal in time": "zkouším s obnovou včas",
    "DRILL: {what} falls on {day}. Nothing real is changed.": "CVIČENÍ: {what} selže {day}. Nic skutečného se nemění.",
    "Fallen with it: {names}": "S tím selhává: {names}",
    "Without renewal in time:": "Bez včasné obnovy:",
    "With renewal in time:": "S včasnou obnovou:",
    "Renewal was not tried: {why}. Say --read-at-most.": "Obnova se nezkoušela: {why}. Uveďte --read-at-most.",
    "it took {seconds} s and {stamps} time-stamps here": "zde to trvalo {seconds} s a stálo {stamps} časových razítek",
    "{documents} documents lose their proof (batches {numbers})": (
        "dokumentů {documents} přijde o důkaz (dávky {numbers})"
    ),
    "no document loses its proof": "žádný dokument nepřijde o důkaz",
    "{documents} documents keep one of their records only (batches {numbers})": (
        "dokumentům {documents} zůstane jen některý ze záznamů (dávky {numbers})"
    ),
    "verified from bytes: {passed} of {checked} samples pass": "ověřeno z bajtů: obstálo {passed} z {checked} vzorků",
    "{day}: {what}, line {line} ({digest}) is not possible: {why}": (
        "{day}: {what}, linie {line} ({digest}) není možná: {why}"
    ),
    "{day}: {what}, line {line} ({digest}): {batches} batches, {documents} documents, by {tsa}": (
        "{day}: {what}, linie {line} ({digest}): dávek {batches}, dokumentů {documents}, razítko {tsa}"
    ),
    "Another authority is played by {name}: have one in the settings before you need it.": (
        "Jinou autoritu hraje {name}: mějte ji v nastavení dřív, než bude třeba."
    ),
    "How long that takes is not known: too little content to measure": (
        "Jak dlouho to potrvá, není známo: k měření je málo obsahu"
    ),
}
