"""ocfl-py, asked about a storage root.

The rules this module keeps:

* The judge shares no code with the archive: objects are found by their declaration files, by this module.
* The judge says nothing about the objects when it is asked about a root, and answers 0 with a damaged object inside;
  so it is asked about the root *and* about each object, and its answers are counted: number judged = number held.
* Silence is no opinion: every object must be called VALID or INVALID by name.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.vectors import REPOSITORY, missing

_CHUNK = 200
_PATIENCE = 600  # seconds for one chunk of objects
_CODE = re.compile(r"\[([EW]\d{3})[a-z]?\]")
_VERDICT = re.compile(r"^OCFL \S+ Object at (?P<path>.*) is (?P<verdict>VALID|INVALID)$", re.MULTILINE)


@dataclass(frozen=True)
class OcflRuling:
    """What ocfl-py said of a storage root and of each object in it."""

    held: int
    valid: tuple[str, ...]
    invalid: tuple[str, ...]
    codes: tuple[str, ...]
    root_exit: int
    words: str

    @property
    def clean(self) -> bool:
        """Every object held was judged and is valid, and there was neither error nor warning."""
        return self.held == len(self.valid) > 0 and not self.invalid and not self.codes and self.root_exit == 0


def _validator() -> list[str]:
    venv = Path(os.environ.get("OCFL_PY_VENV") or REPOSITORY / "build" / "interop" / "ocfl-py")
    program = venv / "bin" / "ocfl-validate.py"
    if not program.exists():
        missing("the judge ocfl-py (run tests/interop/ocfl_env.sh)")
    return [str(venv / "bin" / "python"), str(program)]


def object_directories(root: Path) -> list[Path]:
    """Every directory below `root` that declares itself an OCFL object."""
    return sorted(path.parent for path in root.rglob("0=ocfl_object_*"))


def judge_root(root: Path) -> OcflRuling:
    """Ask ocfl-py about the storage root at `root` and about every object directory in it."""
    about_root = _ask([root])
    held = object_directories(root)
    words = [about_root.stdout, about_root.stderr]
    verdicts: dict[str, str] = {}
    for start in range(0, len(held), _CHUNK):
        answer = _ask(held[start : start + _CHUNK])
        words += [answer.stdout, answer.stderr]
        verdicts.update((match["path"], match["verdict"]) for match in _VERDICT.finditer(answer.stdout))
    unjudged = {str(path) for path in held} - verdicts.keys()
    if unjudged or verdicts.keys() - {str(path) for path in held}:
        raise RuntimeError(f"ocfl-py did not judge {len(unjudged)} of {len(held)} objects: {''.join(words)[-2000:]}")
    said = "".join(words)
    return OcflRuling(
        held=len(held),
        valid=tuple(sorted(path for path, verdict in verdicts.items() if verdict == "VALID")),
        invalid=tuple(sorted(path for path, verdict in verdicts.items() if verdict == "INVALID")),
        codes=tuple(sorted(set(_CODE.findall(said)))),
        root_exit=about_root.returncode,
        words=said,
    )


def judge_object(directory: Path) -> tuple[bool, set[str]]:
    """Ask ocfl-py about one object: whether it is valid, and which codes were named."""
    answer = _ask([directory])
    verdicts = [match["verdict"] for match in _VERDICT.finditer(answer.stdout)]
    if len(verdicts) != 1:
        raise RuntimeError(f"ocfl-py gave no verdict on {directory}: {answer.stdout}{answer.stderr}")
    return verdicts == ["VALID"], set(_CODE.findall(answer.stdout))


def _ask(paths: Iterable[Path]) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = [*_validator(), *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
