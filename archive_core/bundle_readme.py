"""README.txt of a bundle: how to check it with nothing but OpenSSL and a POSIX shell.

Rules kept here
 * The commands are complete: paths, offsets, siblings and times are filled in, so that they can be
   copied and run where the bundle was unpacked. A test runs them.
 * The hash tree is computed anew from the files; the only values taken from this text are the
   siblings, and a wrong one leads to another root than the token's.
 * What the reader trusts comes from the reader: `trust.pem` is not in the bundle.
 * English and Czech; never "qualified", never "archiv" in Czech.
"""

from __future__ import annotations

from collections.abc import Mapping

from archive_core.description import Description
from archive_core.evidence.record import EvidenceRecord, parse_record
from archive_core.findings import utc_text
from archive_core.ports import ValidationData
from archive_core.receipts import Statement


def readme(
    description: Description,
    description_bytes: bytes,
    statement: Statement,
    evidence: Mapping[str, bytes],
    validation: ValidationData,
) -> bytes:
    """The text in UTF-8. Raises `MalformedEvidenceError` when a record cannot be read."""
    records = {line: parse_record(der) for line, der in sorted(evidence.items())}
    existed = min(record.initial.token_info.gen_time for record in records.values())
    facts = {
        "poid": description.poid,
        "version": str(description.version),
        "batch": str(statement.batch),
        "existed": utc_text(existed),
    }
    group = " ".join(_group_members(description))
    chain = "-untrusted chain.pem " if validation.certificates else ""
    seal_chain = "-certfile chain.pem " if validation.certificates else ""
    checks = "\n".join(_line_commands(line, record, group, chain) for line, record in records.items())
    script = _fill(_COMMANDS, **facts, checks=checks) + _fill(
        _SEAL_COMMANDS, seal_chain=seal_chain, time=str(int(existed.timestamp()))
    )
    if not validation.certificates:
        script = script.replace(_CHAIN_COMMAND, "")
    english, czech = _fill(_ENGLISH, **facts), _fill(_CZECH, **facts)
    if statement.test_trust:
        english, czech = english + _TEST_ENGLISH, czech + _TEST_CZECH
    later = any(len(record.stamps) > 1 for record in records.values())
    if later:
        english, czech = english + _LATER_ENGLISH, czech + _LATER_CZECH
    return f"{english}\n{czech}\n{_RULE}\n{script}".encode()


def _group_members(description: Description) -> list[str]:
    """Arguments of `find` that reach the description and every listed file, and nothing else."""
    tops = {file.path.partition("/")[0] for file in description.files}
    return ["description.json", *sorted(tops)]


def _line_commands(line: str, record: EvidenceRecord, group: str, chain: str) -> str:
    stamp = record.initial
    tree = stamp.reduced_hash_tree or ((),)
    offset = record.raw.index(stamp.token)
    siblings = [value.hex() for values in tree[1:-1] for value in values]
    return _fill(
        _LINE_COMMANDS,
        line=line,
        group=group,
        digest=stamp.digest_algorithm,
        siblings=" \\\n    ".join(siblings) or "''",
        offset=str(offset),
        length=str(len(stamp.token)),
        time=str(int(stamp.token_info.gen_time.timestamp()) + 1),
        shown=utc_text(stamp.token_info.gen_time),
        chain=chain,
    )


def _fill(template: str, **facts: str) -> str:
    for name, value in facts.items():
        template = template.replace(f"@{name}@", value)
    return template


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"


_RULE = "=" * 78

_ENGLISH = _lines(
    _RULE,
    "EVIDENCE BUNDLE",
    "",
    "Preservation object @poid@, version @version@, evidence batch @batch@.",
    "The files below data/ existed, exactly as they are, at @existed@.",
    "Do not take our word for it: check.",
    "",
    "With the offline verifier (no network, no account, no server):",
    "",
    "    trusted-archive-verify BUNDLE.zip --trust trust.pem",
    "",
    "trust.pem holds the certificates that YOU trust: those of the time-stamp",
    "authority and of the issuer of the seal. Get them from their issuers or from",
    "a trusted list, not from us. Certificates in this bundle help to build paths",
    "and are never trusted by themselves.",
    "",
    "By hand: unpack the bundle, put trust.pem beside this file and run the",
    "commands at the end of it in that folder (POSIX shell, OpenSSL 3, Perl).",
    "They hash the files, climb the hash tree of the evidence record (RFC 4998)",
    "and let OpenSSL check the time-stamp over its root, then the seal.",
    "",
    "data/ deposited files    description.json what they are (names, digests)",
    "evidence/ evidence records    receipt.json sealed receipt",
    "statement.json, .p7s the batch's statement and its seal",
    "seal-evidence/ evidence records of statement and seal",
    "validation/ certificates, revocation data    trail/ events and their proof",
    "earlier/ earlier versions that already held one of the files",
)

_CZECH = _lines(
    _RULE,
    "BALÍČEK S DŮKAZY",
    "",
    "Objekt @poid@, verze @version@, důkazní dávka @batch@.",
    "Soubory ve složce data/ existovaly přesně v této podobě @existed@ (UTC).",
    "Nemusíte nám věřit, ověřte to.",
    "",
    "Ověřovacím programem (bez sítě, bez účtu, bez serveru):",
    "",
    "    trusted-archive-verify BUNDLE.zip --trust trust.pem",
    "",
    "V souboru trust.pem jsou certifikáty, kterým důvěřujete VY: autority časových",
    "razítek a vydavatele pečeti. Opatřete si je od vydavatelů nebo z důvěryhodného",
    "seznamu, ne od nás. Certifikáty v balíčku pomáhají sestavit cestu, samy o sobě",
    "důvěryhodné nejsou.",
    "",
    "Ručně: rozbalte balíček, vedle tohoto souboru vložte trust.pem a v té složce",
    "spusťte příkazy z konce tohoto souboru (POSIX shell, OpenSSL 3, Perl).",
    "Spočtou otisky souborů, vystoupají hašovacím stromem důkazního záznamu",
    "(RFC 4998), OpenSSL ověří časové razítko nad jeho kořenem a nakonec pečeť.",
    "",
    "data/ uložené soubory    description.json jejich popis (jména, otisky)",
    "evidence/ důkazní záznamy    receipt.json zapečetěné potvrzení",
    "statement.json, .p7s prohlášení o dávce a jeho pečeť",
    "seal-evidence/ důkazní záznamy prohlášení a pečeti",
    "validation/ certifikáty, údaje o odvolání    trail/ události a jejich důkaz",
    "earlier/ dřívější verze, které už některý ze souborů obsahovaly",
)

_TEST_ENGLISH = _lines(
    "",
    "WARNING: made with TEST keys and TEST time-stamps. It shows how evidence works;",
    "it proves nothing to third parties.",
)
_TEST_CZECH = _lines(
    "",
    "POZOR: vytvořeno s TESTOVACÍMI klíči a TESTOVACÍMI časovými razítky. Ukazuje, jak",
    "důkazy fungují; třetím osobám nic neprokazuje.",
)
_LATER_ENGLISH = _lines(
    "",
    "The evidence was renewed. The commands below check the first time-stamp of each",
    "record; the offline verifier checks the renewals as well.",
)
_LATER_CZECH = _lines(
    "",
    "Důkazy byly obnoveny. Příkazy níže ověří první časové razítko každého záznamu;",
    "ověřovací program ověří i obnovení.",
)

_CHAIN_COMMAND = _lines(
    'for c in validation/*.cer; do openssl x509 -inform DER -in "$c"; done > chain.pem || exit 1',
    "",
)

_COMMANDS = (
    _lines(
        "#!/bin/sh",
        "# Commands. Needed: trust.pem beside this file.",
        "unhex() { perl -ne 'chomp; print pack \"H*\", $_'; }",
        "first() { cut -d' ' -f1; }",
        "combine() {  # a node of the hash tree: sorted, concatenated, hashed; a lone value is itself",
        '    if [ $# -eq 1 ]; then echo "$1"; return; fi',
        '    printf \'%s\\n\' "$@" | LC_ALL=C sort | unhex | openssl dgst "-$alg" -r | first',
        "}",
        'digest() { openssl dgst "-$alg" -r "$1" | first; }',
        "",
    )
    + _CHAIN_COMMAND
    + "@checks@"
)

_LINE_COMMANDS = _lines(
    "# Evidence line @line@: the digests of the files are the first list of the record ...",
    "alg=@digest@",
    'node=$(combine $(find @group@ -type f -exec openssl dgst "-$alg" -r {} + | first | LC_ALL=C sort -u))',
    "# ... each sibling on the way leads one step up, to the root that the statement seals ...",
    "for sibling in @siblings@",
    'do if [ -n "$sibling" ]; then node=$(combine "$node" "$sibling"); fi; done',
    'if grep -q "\\"$node\\"" statement.json',
    'then echo "line @line@: the sealed statement holds this root: $node"',
    'else echo "line @line@: NOT the root that the statement seals: $node"; exit 1; fi',
    "# ... and statement and seal are the last sibling below the root that is time-stamped.",
    'root=$(combine "$node" "$(combine "$(digest statement.json)" "$(digest statement.json.p7s)")")',
    "# The time-stamp token, cut out of the record as it is; it says @shown@.",
    "openssl asn1parse -inform DER -in evidence/@line@.ers -offset @offset@ -length @length@ \\",
    "    -noout -out token-@line@.tst > /dev/null || exit 1",
    'openssl ts -verify -token_in -in token-@line@.tst -digest "$root" \\',
    "    -CAfile trust.pem @chain@-attime @time@ || exit 1",
)

_SEAL_COMMANDS = _lines(
    "# The seal over the statement, judged as of the time-stamp.",
    "openssl cms -verify -binary -inform DER -in statement.json.p7s -content statement.json \\",
    "    -CAfile trust.pem @seal_chain@-purpose any -attime @time@ -out /dev/null || exit 1",
)
