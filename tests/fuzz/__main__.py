"""`python -m tests.fuzz TARGET|all [--seconds N] [--seed N] [--plain] [--input FILE]`, or `--list`.

Coverage-guided by atheris where it is installed, else plain mutation. Exit code 0: nothing found.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

FOLDER = Path(".fuzz")
INSTRUMENTED = ["api", "archive_core", "policies", "signing", "storage_backends", "asn1crypto", "werkzeug", "tomllib"]


def main() -> int:
    arguments = _arguments()
    guided = not arguments.plain and importlib.util.find_spec("atheris") is not None
    if arguments.target == "all":
        return _all(arguments)
    with _instrumented(guided and arguments.input is None):
        from tests.fuzz.target import targets

        known = targets()
    if arguments.list or arguments.target is None:
        print("\n".join(known))
        return 0
    target = known[arguments.target]
    folder = FOLDER / target.name
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.input is not None:
        from tests.fuzz.bounds import run_bounded

        print("accepted" if run_bounded(target, arguments.input.read_bytes()) else "refused")
        return 0
    print(f"{target.name}: {'atheris' if guided else 'plain mutation'}, seed {arguments.seed}", flush=True)
    from tests.fuzz import engines

    if guided:
        engines.run_atheris(target, seed=arguments.seed, seconds=arguments.seconds, folder=folder)
    try:
        outcome = engines.run_plain(target, seed=arguments.seed, seconds=arguments.seconds)
    except engines.DefectError as error:
        found = folder / f"crash-{arguments.seed}"
        found.write_bytes(error.data)
        print(f"{error}\nRun it again: python -m tests.fuzz {target.name} --input {found}", file=sys.stderr)
        return 77
    print(f"{target.name}: {outcome.executions} executions, {outcome.accepted} accepted, {outcome.refused} refused")
    return 0


def _all(arguments: argparse.Namespace) -> int:
    """Each target in a process of its own, one after the other; all are run whatever is found."""
    command = [sys.executable, "-m", "tests.fuzz"]
    listed = subprocess.run([*command, "--list"], check=True, capture_output=True, text=True).stdout.split()
    assert listed
    options = ["--seconds", str(arguments.seconds), "--seed", str(arguments.seed)]
    options += ["--plain"] if arguments.plain else []
    failed = [name for name in listed if subprocess.run([*command, name, *options], check=False).returncode]
    print(f"{len(listed)} targets; defects in: {', '.join(failed) or 'none'}")
    return 77 if failed else 0


def _instrumented(guided: bool) -> AbstractContextManager[object]:
    if not guided:
        return nullcontext()
    import atheris

    return atheris.instrument_imports(include=INSTRUMENTED)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 2**31))
    parser.add_argument("--plain", action="store_true", help="plain mutation even where atheris is installed")
    parser.add_argument("--input", type=Path, help="run this one input")
    parser.add_argument("--list", action="store_true", help="list the targets")
    return parser.parse_args()


sys.exit(main())
