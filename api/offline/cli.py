"""`trusted-archive-verify`: arguments in, verdict and exit code out.

Rules kept here
 * With `--json` there is exactly one JSON document on stdout, also for wrong use, a missing file or
   garbage; it always has `verdict`, `proof_of_existence`, `steps`, `findings` and `test_trust`.
 * Exit codes: 0 PASSED, 1 FAILED, 2 wrong use, 3 INDETERMINATE, 70 for a fault of this program.
 * The clock is asked once, and only when `--at` is not given.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TextIO

from api.offline.checks import check_bundle, check_record, judges
from api.offline.texts import ENGLISH, choose, step_title
from api.offline.trust import read_trust, read_validation
from archive_core import __version__
from archive_core.clock import SystemClock
from archive_core.errors import UsageError
from archive_core.findings import Report, Verdict, utc_text

EXIT_CODES = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INDETERMINATE: 3}
WRONG_USE = 2
INTERNAL = 70

_MARKS = {Verdict.PASSED: "+", Verdict.FAILED: "!", Verdict.INDETERMINATE: "?"}


class _Parser(argparse.ArgumentParser):
    """A parser that raises instead of printing usage and leaving."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    texts = ENGLISH if as_json else choose(os.environ)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parser(texts).parse_intermixed_args(given)
        report = _run(options, texts)
    except UsageError as error:
        return _refuse(as_json, texts, "USAGE", str(error), WRONG_USE)
    except Exception as error:  # noqa: BLE001 - the one place where a fault of ours becomes an answer
        traceback.print_exc()
        return _refuse(as_json, texts, "INTERNAL_ERROR", f"{type(error).__name__}: {error}", INTERNAL)
    try:
        if as_json:
            _print_json(report.to_json())
        else:
            _print_report(report, texts, sys.stdout, trusted=bool(options.trust))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough; the exit code still tells
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_CODES[report.verdict]


def _parser(texts: Mapping[str, str]) -> _Parser:
    parser = _Parser(
        prog="trusted-archive-verify",
        description=texts["description"],
        epilog=texts["example"],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("files", nargs="*", type=Path, metavar="BUNDLE.zip | DATA", help=texts["files"])
    parser.add_argument("--record", type=Path, metavar="FILE.ers", help=texts["record"])
    parser.add_argument("--trust", type=Path, action="append", default=[], metavar="CERTS", help=texts["trust"])
    parser.add_argument(
        "--validation", type=Path, action="append", default=[], metavar="DATA", help=texts["validation"]
    )
    parser.add_argument("--at", metavar="TIME", help=texts["at"])
    parser.add_argument("--json", action="store_true", help=texts["json"])
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}", help=texts["version"])
    parser.add_argument("-h", "--help", action="help", help=texts["help"])
    return parser


def _run(options: argparse.Namespace, texts: Mapping[str, str]) -> Report:
    at = SystemClock().now() if options.at is None else _instant(options.at, texts)
    judging = judges(read_trust(options.trust), read_validation(options.validation), at)
    if options.record is not None:
        return check_record(options.record, options.files, judging)
    if len(options.files) != 1:
        raise UsageError(texts["one-bundle"])
    return check_bundle(options.files[0], judging)


def _instant(text: str, texts: Mapping[str, str]) -> datetime:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(texts["bad-time"]) from None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)


def _refuse(as_json: bool, texts: Mapping[str, str], code: str, message: str, exit_code: int) -> int:
    """Answer without a report: nothing was judged, so nothing is concluded."""
    if as_json:
        _print_json(
            {
                "verdict": str(Verdict.INDETERMINATE),
                "sub_indication": None,
                "proof_of_existence": None,
                "test_trust": False,
                "steps": [],
                "findings": [{"code": code, "message": message}],
            }
        )
    else:
        kind = texts["wrong-use"] if exit_code == WRONG_USE else code
        _say(f"trusted-archive-verify: {kind}: {message}", sys.stderr)
    return exit_code


def _print_json(value: Mapping[str, object]) -> None:
    _say(json.dumps(value, indent=2), sys.stdout)


def _print_report(report: Report, texts: Mapping[str, str], out: TextIO, *, trusted: bool) -> None:
    for step in report.steps:
        title = step_title(texts, step.name)
        where = f" [{step.where}]" if step.where else ""
        why = f" {step.sub_indication}" if step.sub_indication else ""
        _say(f" {_MARKS[step.verdict]} {texts[step.verdict]:<16} {title}{where}:{why} {step.message}", out)
    if report.findings:
        _say(f"\n{texts['findings']}:", out)
        for finding in report.findings:
            where = f" [{finding.where}]" if finding.where else ""
            _say(f" - {finding.code}{where}: {finding.message}", out)
    files = report.facts.get("files")
    if isinstance(files, list) and files:
        _say(f"\n{texts['file-times']}:", out)
        for file in files:
            _say(f" - {file['path']}: {file['proof_of_existence']}", out)
    _say(f"\n{texts['judged']}: {report.facts.get('judged_at', '')}", out)
    if report.test_trust:
        _say(texts["test"], out)
    if not trusted:
        _say(texts["no-trust"], out)
    existence = f"{texts['existence']}: {utc_text(report.proof_of_existence)}" if report.proof_of_existence else ""
    _say(existence or texts["no-existence"], out)
    why = f" ({report.sub_indication})" if report.sub_indication else ""
    _say(f"{texts['verdict']}: {texts[report.verdict]}{why}", out)


def _say(text: str, out: TextIO) -> None:
    out.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
