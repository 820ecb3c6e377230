"""The commands and their options.

Rules kept here
 * `--home`, `--json` and `--verbose` mean the same before and after the sub-command.
 * Every command's help ends in an example.
 * A mistake in the words is a `UsageError` (exit 2), told as every other error.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from api.cli import (
    access_options,
    changing_options,
    destroying_options,
    examine_options,
    fixity_options,
    holding_options,
    lists_options,
    plan_options,
    quarantine_options,
    renewal_options,
    search_options,
    storing_options,
)
from api.cli.access_options import some_word
from api.cli.backup_options import backup as _backup
from api.cli.backup_options import restore as _restore
from api.cli.words import VERIFY, mistake
from api.texts import marked, text
from archive_core import __version__
from archive_core.errors import UnknownObjectError, UsageError
from archive_core.identifiers import parse_poid

HOME_VARIABLE = "TRUSTED_ARCHIVE_HOME"
DEFAULT_HOME = "archive-home"


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help in the reader's language."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, text("usage: ") if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """argparse that raises instead of leaving the process, and speaks the reader's language."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=Formatter, allow_abbrev=False, add_help=False)
        # argparse writes its headings at import, in English, and offers no other way to change them.
        self._positionals.title = text("positional arguments")
        self._optionals.title = text("options")
        self.add_argument("-h", "--help", action="help", help=text("show this help and exit"))

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{mistake(message)} ({text('see')} `{self.prog} --help`)")


@dataclass(frozen=True, slots=True)
class Command:
    """`about` is what the command does and `example` one way to call it."""

    name: str
    about: str
    example: str
    options: Callable[[argparse.ArgumentParser], None]


def build_parser() -> Parser:
    """The parser for `trusted-archive`."""
    parser = Parser(
        prog="trusted-archive",
        description=text("Keeps documents provably genuine for decades."),
        epilog=_epilog("trusted-archive init && trusted-archive deposit letter.pdf && trusted-archive preserve"),
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {__version__}", help=text("show the program's version")
    )
    _globals(parser, after=False)
    commands = parser.add_subparsers(dest="command", metavar=text("COMMAND"), required=True, parser_class=Parser)
    for command in COMMANDS:
        _add(commands, command)
    for group, members in GROUPS:
        below = _add(commands, group).add_subparsers(
            dest=f"{group.name}_command", metavar=text("COMMAND"), required=True, parser_class=Parser
        )
        for command in members:
            _add(below, command)
    return parser


def _add(commands: Any, command: Command) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        command.name, help=text(command.about), description=text(command.about), epilog=_epilog(command.example)
    )
    _globals(parser, after=True)
    command.options(parser)
    return parser


def _epilog(example: str) -> str:
    return f"{text('Example')}:\n  {example}"


def _globals(parser: argparse.ArgumentParser, *, after: bool) -> None:
    """The options that stand before and after the command; only the ones before have defaults."""

    def default(value: object) -> Any:
        return argparse.SUPPRESS if after else value

    home = Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME)
    parser.add_argument(
        "--home",
        type=_home,
        metavar="DIR",
        default=default(home),
        help=text(
            "the archive's home (default: ${variable}, else ./{folder})", variable=HOME_VARIABLE, folder=DEFAULT_HOME
        ),
    )
    parser.add_argument(
        "--json", action="store_true", default=default(False), help=text("answer with one JSON document")
    )
    parser.add_argument("--verbose", action="store_true", default=default(False), help=text("say more on the way"))


# -- options of the commands ------------------------------------------------------------------


def _nothing(parser: argparse.ArgumentParser) -> None:
    """A command without options of its own."""


def _home(word: str) -> Path:
    return Path(some_word(word))


def _poid(word: str) -> str:
    """A POID in its one spelling. Other words may be POIDs elsewhere, so they are unknown and not a
    mistake in the words."""
    try:
        return parse_poid(word)
    except ValueError:
        raise UnknownObjectError(f"there is no preservation object {word[:64]!a}") from None


def _port(word: str) -> int:
    if not word.isdecimal() or not 0 <= int(word) <= 65535:
        raise argparse.ArgumentTypeError(text("{word} is not a port", word=ascii(word[:16])))
    return int(word)


def _version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", type=_number, metavar="N", help=text("this version; the newest one otherwise"))


def _number(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) < 2**31:
        raise argparse.ArgumentTypeError(text("{word} is not a version number", word=ascii(word[:16])))
    return int(word)


def _one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("poid", type=_poid, metavar="POID", help=text("the preservation object"))


def _traced(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "poid",
        type=lambda word: word if word == VERIFY else _poid(word),
        metavar="POID|verify",
        help=text("the preservation object, or the word `verify`"),
    )


def _one_version(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    _version(parser)


def _submission(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", type=some_word, nargs="+", metavar="PATH", help=text("a file, or a folder with its files")
    )
    parser.add_argument("--metadata", type=Path, metavar="FILE.json", help=text("a JSON object, kept verbatim"))
    parser.add_argument("--key", metavar="IDEMPOTENCY-KEY", help=text("repeating with the same key deposits once"))
    parser.add_argument("--profile", metavar="ID", help=text("the preservation profile; the home's default otherwise"))


def _deposit(parser: argparse.ArgumentParser) -> None:
    _submission(parser)
    parser.add_argument(
        "--once",
        action="store_true",
        help=text("the same names and content are deposited once: an interrupted command may be repeated"),
    )
    parser.add_argument(
        "--organisation",
        type=some_word,
        metavar="ID",
        help=text("whose documents these are (IČO); the home's own otherwise"),
    )


def _destroy(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    destroying_options.options(parser)


def _hold(parser: argparse.ArgumentParser) -> None:
    holding_options.options(parser, _poid)


def _update(parser: argparse.ArgumentParser) -> None:
    _one(parser)
    _submission(parser)


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help=text("the address to listen on"))
    parser.add_argument("--port", type=_port, default=8080, help=text("the port to listen on (0: any free one)"))
    parser.add_argument(
        "--no-work", action="store_true", help=text("run no scheduled jobs: `trusted-archive work` does them")
    )


def _work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only", action="append", default=[], metavar="JOB", help=text("this job alone; may be repeated")
    )
    parser.add_argument(
        "--except",
        dest="but",
        action="append",
        default=[],
        metavar="JOB",
        help=text("every job but this one; may be repeated"),
    )


def _retrieve(parser: argparse.ArgumentParser) -> None:
    _one_version(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help=text("the folder to write to; nothing in it is overwritten"),
    )
    parser.add_argument(
        "--whole", action="store_true", help=text("the whole package: description and metadata beside data/")
    )


def _evidence(parser: argparse.ArgumentParser) -> None:
    _one_version(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.ers", help=text("where to write the record"))
    parser.add_argument(
        "--all-records", action="store_true", help=text("every redundant record, as FILE.<line>.ers when several")
    )


def _receipt(parser: argparse.ArgumentParser) -> None:
    _one_version(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.json", help=text("write it to a file"))
    parser.add_argument(
        "--format",
        choices=("json", "jws", "jws-json"),
        default="json",
        help=text("the receipt, or the receipt sealed once more as a JSON web signature, compact or flattened"),
    )


def _verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("poids", type=_poid, nargs="*", metavar="POID", help=text("the preservation objects"))
    parser.add_argument("--all", action="store_true", help=text("every version of every object"))
    _version(parser)


def _audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reconcile",
        action="store_true",
        help=text("first put the catalogue right by what the stores say, and adopt what it does not know"),
    )


def _repair(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "poids", type=_poid, nargs="*", metavar="POID", help=text("these objects alone; otherwise whatever is damaged")
    )
    parser.add_argument("--dry-run", action="store_true", help=text("say what would be done, and do nothing"))


def _export(parser: argparse.ArgumentParser) -> None:
    _one_version(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE.zip", help=text("where to write the bundle"))
    parser.add_argument(
        "--format",
        choices=("bundle", "asic-e"),
        default="bundle",
        help=text("our bundle, or an ASiC-E container with the evidence records inside"),
    )


def _sealed_copy(parser: argparse.ArgumentParser) -> None:
    _one_version(parser)
    parser.add_argument("path", metavar="PATH", help=text("the file of the version, by its path"))
    parser.add_argument("--out", type=Path, required=True, metavar="COPY.pdf", help=text("where to write the copy"))
    parser.add_argument(
        "--visible",
        choices=("en", "cs"),
        help=text("say on the first page, in this language, that it is a sealed copy, and of what"),
    )


def _rebuild(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="store",
        type=some_word,
        metavar="STORE",
        help=text("the store to read, by name or folder; otherwise the one that holds most"),
    )


def _upgrade(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help=text("say what would be done, and do nothing"))


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--imprints",
        action="store_true",
        help=text("try which digest algorithms each time-stamp authority takes; uses five time-stamps, which may cost"),
    )


_POID_EXAMPLE = "01a206fbbf46744db6dc2a5fe0c13254"

COMMANDS = (
    Command("init", marked("Make a new home, or complete one"), "trusted-archive --home /srv/archive init", _nothing),
    Command("serve", marked("Answer HTTP requests and run the scheduler"), "trusted-archive serve --port 8080", _serve),
    Command("work", marked("Run the scheduled jobs, in a process of their own"), "trusted-archive work", _work),
    Command(
        "deposit",
        marked("Take files in: each PATH becomes one preservation object"),
        "trusted-archive deposit contract.pdf --metadata contract.json --key 2026/0042",
        _deposit,
    ),
    Command("preserve", marked("Close and prove what awaits evidence"), "trusted-archive preserve", _nothing),
    Command("status", marked("How the archive is"), "trusted-archive status --json", _nothing),
    Command("list", marked("Everything, in the order of deposit"), "trusted-archive list", _nothing),
    Command("show", marked("One preservation object"), f"trusted-archive show {_POID_EXAMPLE}", _one_version),
    Command(
        "retrieve",
        marked("Give documents back"),
        f"trusted-archive retrieve {_POID_EXAMPLE} --out documents",
        _retrieve,
    ),
    Command(
        "evidence",
        marked("Write the evidence record (RFC 4998)"),
        f"trusted-archive evidence {_POID_EXAMPLE} --out proof.ers",
        _evidence,
    ),
    Command("receipt", marked("The sealed receipt"), f"trusted-archive receipt {_POID_EXAMPLE}", _receipt),
    Command("verify", marked("Prove anew, from stored bytes"), f"trusted-archive verify {_POID_EXAMPLE}", _verify),
    Command(
        "update",
        marked("A new version; the PATHs are its complete content"),
        f"trusted-archive update {_POID_EXAMPLE} contract.pdf annex.pdf",
        _update,
    ),
    Command(
        "export",
        marked("Write a bundle that proves itself without us"),
        f"trusted-archive export {_POID_EXAMPLE} --out contract.zip",
        _export,
    ),
    Command(
        "sealed-copy",
        marked("A copy of a PDF with the archive's seal and time-stamps in it"),
        f"trusted-archive sealed-copy {_POID_EXAMPLE} contract.pdf --out copy.pdf",
        _sealed_copy,
    ),
    Command(
        "destroy",
        marked("Destroy an object for ever, in every store"),
        f"trusted-archive destroy {_POID_EXAMPLE} --reason 'disposal 2026/17' --dry-run",
        _destroy,
    ),
    Command(
        "hold",
        marked("Put objects under a legal hold, so that nobody destroys them, or lift it"),
        f"trusted-archive hold {_POID_EXAMPLE} --name '12 C 34/2026' --reason 'evidence in court'",
        _hold,
    ),
    Command("audit", marked("Read every byte of every copy and all evidence"), "trusted-archive audit", _audit),
    Command(
        "repair",
        marked("Put damaged and missing bytes right, from copies that the evidence proves"),
        "trusted-archive repair --dry-run",
        _repair,
    ),
    Command(
        "trace",
        marked("What happened to an object; `trace verify` proves the whole trail anew"),
        f"trusted-archive trace {_POID_EXAMPLE}",
        _traced,
    ),
    Command(
        "search",
        marked("Find versions by words, date, organisation, state, or by their bytes"),
        "trusted-archive search smlouva nov* --organisation 70891508 --from 2026-01-01",
        search_options.search,
    ),
    Command(
        "changes",
        marked("What has changed since when, in order"),
        "trusted-archive changes --since c1200",
        changing_options.changes,
    ),
    Command(
        "rebuild-catalogue",
        marked("Make the catalogue again from one store"),
        "trusted-archive rebuild-catalogue --from one",
        _rebuild,
    ),
    Command(
        "backup",
        marked("Write what is not in the stores to one encrypted file"),
        "trusted-archive backup --out /media/usb/home.backup --passphrase file:/root/backup-passphrase",
        _backup,
    ),
    Command(
        "restore",
        marked("Make a home again from a backup and the stores"),
        "trusted-archive --home /srv/archive restore home.backup --passphrase file:/root/backup-passphrase",
        _restore,
    ),
    Command("profiles", marked("The published preservation profiles"), "trusted-archive profiles", _nothing),
    Command(
        "algorithms",
        marked("Which algorithms are good until when"),
        "trusted-archive algorithms --out list.xml",
        plan_options.algorithms,
    ),
    Command(
        "examine",
        marked("Examine the signatures in a file, without a home and without the network"),
        "trusted-archive examine contract.pdf --trust ca.pem",
        examine_options.examine,
    ),
    Command(
        "examination",
        marked("What was found in the signatures of a deposit"),
        f"trusted-archive examination {_POID_EXAMPLE}",
        quarantine_options.examination,
    ),
    Command("upgrade", marked("Bring an older home to this version"), "trusted-archive upgrade --dry-run", _upgrade),
    Command("doctor", marked("Check everything the archive rests on"), "trusted-archive doctor", _doctor),
)

KEYS = Command("keys", marked("API keys: create, list, rotate, revoke"), "trusted-archive keys list", _nothing)

KEY_COMMANDS = (
    Command(
        "create",
        marked("Make a key; its secret is shown once"),
        "trusted-archive keys create --label spisovka --role depositor --organisation 70891508",
        access_options.create_key,
    ),
    Command("list", marked("All keys, revoked ones too"), "trusted-archive keys list", _nothing),
    Command(
        "rotate",
        marked("Replace a key by a new one; both are good for a while"),
        "trusted-archive keys rotate key-0123456789abcdef --overlap-days 14",
        access_options.rotate_key,
    ),
    Command(
        "revoke",
        marked("Revoke a key at once"),
        "trusted-archive keys revoke key-0123456789abcdef",
        access_options.one_key,
    ),
)

ORGANISATIONS = Command(
    "organisations",
    marked("Organisations: add, list, change, close, reopen"),
    "trusted-archive organisations list",
    _nothing,
)

ORGANISATION_COMMANDS = (
    Command(
        "add",
        marked("Add an organisation whose documents are kept"),
        "trusted-archive organisations add 70891508 --name 'Kraj Vysočina' --quota-objects 1000000",
        access_options.add_organisation,
    ),
    Command("list", marked("Every organisation, and what it uses"), "trusted-archive organisations list", _nothing),
    Command(
        "change",
        marked("Change the name or the limits of an organisation"),
        "trusted-archive organisations change 70891508 --quota-bytes none",
        access_options.change_organisation,
    ),
    Command(
        "close",
        marked("Take nothing more in for an organisation; what is there stays"),
        "trusted-archive organisations close 70891508",
        access_options.one_organisation,
    ),
    Command(
        "reopen",
        marked("Take in for an organisation again"),
        "trusted-archive organisations reopen 70891508",
        access_options.one_organisation,
    ),
)

WEBHOOKS = Command("webhooks", marked("Who is told what changes"), "trusted-archive webhooks list", _nothing)

WEBHOOK_COMMANDS = (
    Command("list", marked("Every receiver, and how far it has come"), "trusted-archive webhooks list", _nothing),
    Command(
        "resume",
        marked("Offer a receiver again, now, what it did not take"),
        "trusted-archive webhooks resume spisovka",
        changing_options.one_receiver,
    ),
)

FIXITY = Command("fixity", marked("Read every copy again"), "trusted-archive fixity status", _nothing)

FIXITY_COMMANDS = (
    Command(
        "run",
        marked("Read every byte of every copy now, a full cycle"),
        "trusted-archive fixity run --store one --budget 50000000",
        fixity_options.run,
    ),
    Command(
        "status",
        marked("What was read when, what was found, and the history"),
        "trusted-archive fixity status --svg fixity.svg",
        fixity_options.status,
    ),
)

LISTS = Command(
    "lists",
    marked("The EU trusted lists that decisions rest on"),
    "trusted-archive lists show",
    _nothing,
)

LIST_COMMANDS = (
    Command("show", marked("The lists of a snapshot"), "trusted-archive lists show", lists_options.one),
    Command(
        "refresh",
        marked("Get the lists that there are now, and keep them on every store"),
        "trusted-archive lists refresh",
        _nothing,
    ),
    Command(
        "export",
        marked("Write the lists of a snapshot into a folder, for `examine --trusted-list`"),
        "trusted-archive lists export lists-of-2026 --snapshot 1",
        lists_options.export,
    ),
)

QUARANTINE = Command(
    "quarantine",
    marked("What is set aside because of its signatures, and the decision about it"),
    "trusted-archive quarantine list",
    _nothing,
)

QUARANTINE_COMMANDS = (
    Command("list", marked("What waits for a decision"), "trusted-archive quarantine list", _nothing),
    Command(
        "release",
        marked("Let a version be used all the same"),
        f"trusted-archive quarantine release {_POID_EXAMPLE} --reason 'the original was seen'",
        quarantine_options.release,
    ),
    Command(
        "reject",
        marked("Destroy what is set aside, for ever, with a tombstone that says why"),
        f"trusted-archive quarantine reject {_POID_EXAMPLE} --reason 'forged' --yes",
        quarantine_options.reject,
    ),
)

RENEWAL = Command("renewal", marked("Renew evidence before it weakens"), "trusted-archive renewal status", _nothing)

RENEWAL_COMMANDS = (
    Command(
        "run",
        marked("Renew what is due, or everything"),
        "trusted-archive renewal run --hash-tree sha3-512 --all --dry-run",
        renewal_options.run,
    ),
    Command("status", marked("What is due, what waits, what comes next"), "trusted-archive renewal status", _nothing),
    Command("pause", marked("Let renewals stop at their next step"), "trusted-archive renewal pause", _nothing),
    Command("resume", marked("Let renewals go on"), "trusted-archive renewal resume", _nothing),
    Command(
        "plan",
        marked("What will have to be renewed until when, and why"),
        "trusted-archive renewal plan --until 2060 --svg timeline.svg",
        plan_options.plan,
    ),
    Command(
        "drill",
        marked("What would be lost if something broke, and what would save it; tried on copies"),
        "trusted-archive renewal drill --break sha512 --at 2031-06-01",
        plan_options.drill,
    ),
)

STORES = Command("stores", marked("Who holds copies, and what they lack"), "trusted-archive stores list", _nothing)

STORE_COMMANDS = (
    Command("list", marked("Every store, and what it lacks"), "trusted-archive stores list", _nothing),
    Command(
        "add",
        marked("Let a store of the settings take part, and fill it"),
        "trusted-archive stores add new",
        storing_options.one,
    ),
    Command(
        "drain",
        marked("Write nothing more to a store, and copy what only it holds to the others"),
        "trusted-archive stores drain old",
        storing_options.one,
    ),
    Command(
        "retire",
        marked("Part with a store that holds nothing that others lack"),
        "trusted-archive stores retire old --yes",
        storing_options.retire,
    ),
    Command(
        "compare",
        marked("Which objects stores lack, or hold in another form"),
        "trusted-archive stores compare one two",
        storing_options.compare,
    ),
    Command("pay", marked("Give stores what they lack, now"), "trusted-archive stores pay", _nothing),
    Command(
        "probe",
        marked("Attack a locked canary in each store that is to lock what it keeps"),
        "trusted-archive stores probe",
        _nothing,
    ),
)

GROUPS = (
    (KEYS, KEY_COMMANDS),
    (ORGANISATIONS, ORGANISATION_COMMANDS),
    (WEBHOOKS, WEBHOOK_COMMANDS),
    (STORES, STORE_COMMANDS),
    (FIXITY, FIXITY_COMMANDS),
    (QUARANTINE, QUARANTINE_COMMANDS),
    (LISTS, LIST_COMMANDS),
    (RENEWAL, RENEWAL_COMMANDS),
)
