"""`retrieve`, `evidence`, `receipt`, `export`: what people take home."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from api.cli.answers import GOOD, TEST_TRUST
from api.cli.console import Console, path_text, shown
from api.cli.files import new_file, require_free, write_file, writing_to
from api.cli.opening import actor, opened
from api.texts import text
from archive_core.lifecycle import EvidenceFile


def retrieve(arguments: argparse.Namespace, console: Console) -> int:
    """Documents under the depositor's paths, or with `--whole` the package as it is stored."""
    with opened(arguments, console) as archive, writing_to(arguments.out):
        view = archive.show(arguments.poid, arguments.version, actor=actor())
        written = archive.retrieve(
            view.poid,
            view.version,
            arguments.out.absolute(),
            actor=actor(),
            whole=arguments.whole,
            progress=console.progress,
        )
    files = [path_text(path) for path in written]
    console.result({"poid": view.poid, "version": view.version, "files": files}, map(shown, files))
    return GOOD


def evidence(arguments: argparse.Namespace, console: Console) -> int:
    """The first line's record as FILE; with `--all-records` the redundant ones beside it."""
    with opened(arguments, console) as archive:
        view = archive.show(arguments.poid, arguments.version, actor=actor())
        files = archive.evidence(view.poid, view.version, actor=actor())
    chosen = files if arguments.all_records else files[:1]
    places = _places(arguments.out, chosen)
    for place, file in zip(places, chosen, strict=True):
        write_file(place, file.der)
    records = [
        {"line": file.line, "digest": file.digest, "path": path_text(place), "test_trust": file.test_trust}
        for place, file in zip(places, chosen, strict=True)
    ]
    test_trust = any(file.test_trust for file in files)
    document = {
        "poid": view.poid,
        "version": view.version,
        "records": records,
        "lines": [file.line for file in files],
        "test_trust": test_trust,
    }
    lines = [f"{shown(record['path'])}  ({record['line']})" for record in records]
    if len(chosen) < len(files):
        names = ", ".join(file.line for file in files)
        lines.append(text("There are several records: {lines}; --all-records writes them all.", lines=names))
    console.result(document, [*lines, *([text(TEST_TRUST)] if test_trust else [])])
    return GOOD


def _places(out: Path, files: list[EvidenceFile]) -> list[Path]:
    """Where each record goes; raises `AlreadyExistsError` before anything is written."""
    places = [out, *(out.with_name(f"{out.stem}.{file.line}{out.suffix}") for file in files[1:])]
    for place in places:
        require_free(place)
    return places


def receipt(arguments: argparse.Namespace, console: Console) -> int:
    """The receipt itself on stdout, or in a file: as it is, or sealed once more as a JSON web signature."""
    with opened(arguments, console) as archive:
        if arguments.format == "json":
            made = archive.receipt(arguments.poid, arguments.version, actor=actor())
            document = json.loads(made)
        else:
            seal = archive.receipt_as_jws(arguments.poid, arguments.version, actor=actor())
            made = seal.compact() if arguments.format == "jws" else seal.flattened()
            document = json.loads(seal.flattened())
    if arguments.out is not None:
        write_file(arguments.out, made)
        lines = [shown(path_text(arguments.out))]
    else:
        lines = [made.decode("utf-8").rstrip("\n")]
    console.result(document, lines)
    return GOOD


def sealed_copy(arguments: argparse.Namespace, console: Console) -> int:
    """A copy of a PDF with the seal in it; the document stays as it is."""
    with opened(arguments, console) as archive:
        view = archive.show(arguments.poid, arguments.version, actor=actor())
        making = archive.sealed_copy(view.poid, view.version, arguments.path, actor=actor(), visible=arguments.visible)
        with making as made, new_file(arguments.out) as out, made.path.open("rb") as stream:
            shutil.copyfileobj(stream, out)
            size, test_trust = made.size, made.test_trust
    place = path_text(arguments.out)
    document = {
        "poid": view.poid,
        "version": view.version,
        "path": place,
        "size": size,
        "test_trust": test_trust,
    }
    console.result(document, [f"{shown(place)}  {size}", *([text(TEST_TRUST)] if test_trust else [])])
    return GOOD


def export(arguments: argparse.Namespace, console: Console) -> int:
    """A bundle, or an ASiC-E container, that `trusted-archive-verify` judges without us."""
    with opened(arguments, console) as archive:
        view = archive.show(arguments.poid, arguments.version, actor=actor())
        write = archive.export_asic if arguments.format == "asic-e" else archive.export
        with new_file(arguments.out) as stream:
            write(view.poid, view.version, stream, actor=actor(), progress=console.progress)
            size = stream.tell()
    place = path_text(arguments.out)
    hint = text("Check it anywhere: trusted-archive-verify {path} --trust CERTS", path=shown(place))
    document = {
        "poid": view.poid,
        "version": view.version,
        "path": place,
        "size": size,
        "format": arguments.format,
        "test_trust": view.test_trust,
    }
    console.result(document, [f"{shown(place)}  {size}", hint])
    return GOOD
