"""The command line in tests: words in, what it said and its exit code out.

The rules this helper keeps:

* Commands run in this process through `main`, with streams of their own; `process` starts a real one.
* A home is made by `init` once and copied, so that each test has one of its own.
* With `--json` stdout is held to be exactly one JSON document, each time.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.cli import main


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout; fails when it is not exactly one."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return self.json["error"]

    @property
    def progress(self) -> list[Any]:
        """The JSON lines on stderr."""
        return [json.loads(line) for line in self.err.splitlines()]


class CommandLine:
    """`trusted-archive` on one home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *words: str | os.PathLike[str]) -> Said:
        """A command on the home, with the words as they are."""
        return run("--home", str(self.home), *map(os.fspath, words))

    def json(self, *words: str | os.PathLike[str], code: int = 0) -> Any:
        """The document that the command answers with `--json`; its exit code must be `code`."""
        said = self.run("--json", *words)
        assert said.code == code, said
        return said.json

    def deposit(self, *words: str | os.PathLike[str]) -> str:
        """The POID of a deposit of one PATH that must succeed."""
        (answer,) = self.json("deposit", *words)["objects"]
        return str(answer["poid"])

    def preserve(self) -> None:
        self.json("preserve")

    def store(self, name: str) -> Path:
        return self.home / "stores" / name

    def files(self, store: str, ending: str = "") -> list[Path]:
        """The files of a store whose path ends so."""
        return sorted(path for path in self.store(store).rglob("*") if path.is_file() and str(path).endswith(ending))


def run(*words: str) -> Said:
    """A command in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(words))
    return Said(code, *(stream.buffer.getvalue().decode("utf-8") for stream in (out, err)))  # type: ignore[attr-defined]


def copied_home(template: Path, folder: Path) -> CommandLine:
    """A home of its own for a test, with the modes that `init` gave."""
    home = folder / "home"
    shutil.copytree(template, home)
    return CommandLine(home)


def process(words: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """A real process without a terminal, started by the installed command."""
    program = Path(sys.executable).parent / "trusted-archive"
    given: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": {**environment(), "LANGUAGE": "en"},
    }
    return subprocess.Popen([str(program), *words], **(given | options))


def environment() -> dict[str, str]:
    """That of this process, but compiled modules are kept: else each process compiles all of them again."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def overwrite(path: Path, content: bytes) -> None:
    """Damage a stored file."""
    path.chmod(0o644)
    path.write_bytes(content)


def flip(path: Path, place: int = 0) -> None:
    """Change one bit of a stored file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    overwrite(path, bytes(content))
