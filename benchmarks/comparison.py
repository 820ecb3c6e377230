"""What a system administrator would take instead, over the same data and the same faults: docs/comparison.md.

    python -m benchmarks.comparison [--documents 2000] [--few 200] [--trials 2] [--seed 1] [--at DIR] [--out FILE]

Rules kept here
 * Two copies each, in two directories, or in one and in a bucket that locks what it keeps; every program by its own
   commands, as its manual says, none tuned.
 * A fault hits one copy and nothing else. It counts as found when the program's own full check fails, and as repaired
   when all documents, read from that copy alone, are the originals to the byte and the check is good again.
 * The repair is what the program offers; where that is several commands by hand, they are all carried out and counted.
 * Each program begins each fault with a fresh copy of what it stored. The seed draws the same faults again.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from benchmarks import machine
from benchmarks.comparison_buckets import with_buckets
from benchmarks.comparison_rivals import PROGRAMS, Fault, Rival
from benchmarks.figures import BenchmarkError
from benchmarks.workspace import ROOT


def _some(chance: random.Random, files: Sequence[Path]) -> Path:
    """A file, the likelier the larger it is, as faults of a disk are."""
    return chance.choices(files, weights=[path.stat().st_size + 1 for path in files])[0]


def _rewrite(path: Path, data: bytes) -> None:
    """Other bytes in the same file, with the same times: a disk tells nobody when it errs."""
    import os

    times = path.stat()
    path.chmod(0o600)
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def flip(chance: random.Random, files: list[Path]) -> str:
    path = _some(chance, files)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    _rewrite(path, bytes(data))
    return path.name


def zero(chance: random.Random, files: list[Path]) -> str:
    path = _some(chance, files)
    data = bytearray(path.read_bytes())
    start = chance.randrange(len(data)) // 512 * 512
    end = min(start + 512, len(data))
    if not any(data[start:end]):
        return zero(chance, files)
    data[start:end] = bytes(end - start)
    _rewrite(path, bytes(data))
    return path.name


def cut(chance: random.Random, files: list[Path]) -> str:
    path = _some(chance, files)
    data = path.read_bytes()
    _rewrite(path, data[: chance.randrange(len(data))])
    return path.name


def lose(chance: random.Random, files: list[Path]) -> str:
    path = _some(chance, files)
    path.unlink()
    return path.name


def exchange(chance: random.Random, files: list[Path]) -> str:
    one = _some(chance, files)
    other = chance.choice([path for path in files if path.read_bytes() != one.read_bytes()])
    first, second = one.read_bytes(), other.read_bytes()
    _rewrite(one, second)
    _rewrite(other, first)
    return f"{one.name}, {other.name}"


FAULTS: dict[str, Fault] = {
    "one bit flipped": flip,
    "a sector became zeros": zero,
    "a file cut off": cut,
    "a file gone": lose,
    "two files exchanged": exchange,
}


@dataclass
class Tally:
    """What became of the faults of one program."""

    found: dict[str, int] = field(default_factory=dict)
    repaired: dict[str, int] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    still_there: bool = False
    """Whether what an insider replaced can still be had."""


def main(words: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(words)
    place = Path(tempfile.mkdtemp(prefix="comparison-", dir=options.at))
    try:
        with nullcontext(()) if options.without_buckets else with_buckets() as buckets:
            sections = _compared(options, place, [*PROGRAMS, *buckets])
    except BenchmarkError as error:
        print(f"comparison: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(place, ignore_errors=True)
    options.out.write_text(sections, "utf-8")
    print(options.out)
    return 0


def _compared(options: argparse.Namespace, place: Path, kinds: Sequence[Callable[[], Rival]]) -> str:
    from benchmarks.comparison_text import page

    chance = random.Random(options.seed)
    many, few = (_documents(place / name, count) for name, count in (("many", options.documents), ("few", options.few)))
    tallies: dict[str, Tally] = {}
    rivals: dict[str, Rival] = {}
    for kind in kinds:
        rival = kind()
        rivals[rival.name] = rival
        tally = tallies[rival.name] = Tally()
        _say(f"{rival.name}: {options.documents} documents")
        _speed(rival, place / rival.name, many, tally)
        _say(f"{rival.name}: faults")
        pristine = place / f"{rival.name}-few"
        rival.store(pristine, few)
        for name, fault in FAULTS.items():
            for trial in range(options.trials):
                _one(rival, pristine, few, fault, random.Random(f"{options.seed} {name} {trial}"), name, tally)
        _both(rival, pristine, few, chance, tally)
        _insider(rival, pristine, few, tally)
    return page(rivals, tallies, list(FAULTS), options, machine.facts(place))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _documents(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:06}.bin").write_bytes(random.Random(f"{folder.name} {number}").randbytes(30_000))
    return folder


def _speed(rival: Rival, place: Path, documents: Path, tally: Tally) -> None:
    size = sum(path.stat().st_size for path in documents.iterdir())
    began = perf_counter()
    rival.store(place, documents)
    tally.seconds["store"] = perf_counter() - began
    began = perf_counter()
    if not rival.check(place):
        raise BenchmarkError(f"{rival.name} finds fault with what it has just stored")
    tally.seconds["check"] = perf_counter() - began
    tally.seconds["overhead"] = rival.kept_bytes(place) / (2 * size)
    shutil.rmtree(place)


def _one(
    rival: Rival, pristine: Path, documents: Path, fault: Fault, chance: random.Random, name: str, tally: Tally
) -> None:
    """One fault in the first copy."""
    place = rival.fresh(pristine, documents)
    what = rival.harm(place, 1, fault, chance)
    found = not rival.check(place)
    began = perf_counter()
    rival.repair(place, documents)
    tally.seconds["repair"] = max(tally.seconds.get("repair", 0.0), perf_counter() - began)
    repaired = rival.gives(place, 1, documents) and rival.check(place)
    _say(f"    {name} ({what}): {'found' if found else 'NOT FOUND'}, {'repaired' if repaired else 'NOT REPAIRED'}")
    tally.tried[name] = tally.tried.get(name, 0) + 1
    tally.found[name] = tally.found.get(name, 0) + found
    tally.repaired[name] = tally.repaired.get(name, 0) + repaired
    shutil.rmtree(place)


def _both(rival: Rival, pristine: Path, documents: Path, chance: random.Random, tally: Tally) -> None:
    """A bit in each copy, in different places: nothing is lost yet."""
    name = "a bit flipped in each copy, in different places"
    place = rival.fresh(pristine, documents)
    rival.harm(place, 1, flip, chance)
    rival.harm(place, 2, flip, chance)
    tally.tried[name] = 1
    tally.found[name] = int(not rival.check(place))
    rival.repair(place, documents)
    tally.repaired[name] = int(all(rival.gives(place, copy, documents) for copy in (1, 2)))
    shutil.rmtree(place)


def _insider(rival: Rival, pristine: Path, documents: Path, tally: Tally) -> None:
    """Somebody with all rights and passwords puts another document in the place of one, in both copies, dated back."""
    name = "an insider replaces a document in both copies"
    place = rival.fresh(pristine, documents)
    changed = place.parent / "changed"
    shutil.copytree(documents, changed)
    victim = sorted(changed.iterdir())[0]
    victim.write_bytes(b"never deposited" * 2000)
    rival.forge(place, changed, victim.name)
    tally.tried[name] = 1
    tally.found[name] = int(not rival.check(place))
    tally.still_there = rival.still_has(place, (documents / victim.name).read_bytes())
    _say(f"    {name}: {'found' if tally.found[name] else 'NOT FOUND'}, {'kept' if tally.still_there else 'gone'}")
    shutil.rmtree(place)
    shutil.rmtree(changed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison", description=__doc__, allow_abbrev=False)
    parser.add_argument("--documents", type=int, default=2000, help="of 30,000 bytes, for speed and cost")
    parser.add_argument("--few", type=int, default=200, help="documents for the faults")
    parser.add_argument("--trials", type=int, default=2, help="of each fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-buckets", action="store_true", help="nothing that takes a real S3 server")
    parser.add_argument("--at", type=Path, metavar="DIR", help="where to work")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "comparison.md", metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
