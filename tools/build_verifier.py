"""Builds dist/trusted-archive-verify.pyz: the offline verifier with all that it needs, in one file.

    python tools/build_verifier.py [--out FILE]

Rules kept here
 * Nothing is downloaded: our modules come from this checkout, the libraries from the environment that
   runs this script, which is installed from the hashed lock.
 * Only the modules that the verifier can reach by its imports go in; a server library among them
   stops the build.
 * The same inputs give the same bytes: sorted, without times, with hash-based bytecode.
 * The libraries hold machine code, so the file is for one Python version and platform, and says so
   when it is started by another.
 * Before it is called built, the file has run under a plain interpreter.
"""

from __future__ import annotations

import argparse
import ast
import base64
import hashlib
import importlib.metadata
import io
import json
import py_compile
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BOOTSTRAP = Path(__file__).resolve().parent / "verifier_bootstrap.py"
ENTRY = "api.offline.cli"
OURS = ("api", "archive_core", "policies", "signing")
DATA = {"policies": ("published/*.toml",)}

DISTRIBUTIONS = {
    "asn1crypto": ("asn1crypto/",),
    "cffi": ("_cffi_backend",),
    "cryptography": ("cryptography/",),
    "pyhanko-certvalidator": ("pyhanko_certvalidator/",),
    "uritools": ("uritools/",),
}
"""What of which installed distribution goes in, by the beginning of the file's path."""

LEFT_OUT = ("pyhanko_certvalidator/fetchers/aiohttp_fetchers/", "pyhanko_certvalidator/fetchers/requests_fetchers/")
"""Parts of those that would fetch something; they are only loaded where fetching is asked for."""

FORBIDDEN = {
    "aiohttp", "alembic", "apscheduler", "boto3", "flask", "gunicorn", "pyhanko", "psycopg", "requests", "sqlalchemy",
    "storage_backends",
}  # fmt: skip
"""What the verifier must do without."""


def own_modules(entry: str = ENTRY) -> tuple[dict[str, Path], set[str]]:
    """Every module of ours that `entry` can reach, with its file, and the top-level names of all others
    that they import, also inside functions."""
    found: dict[str, Path] = {}
    foreign: set[str] = set()
    pending = [entry]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        path = _file_of(name)
        if path is None:
            continue  # `from package import name` where the name is not a module
        found[name] = path
        pending += [".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 1)]
        for imported in _imports(path):
            top = imported.split(".")[0]
            if top in OURS:
                pending.append(imported)
            elif top not in sys.stdlib_module_names:
                foreign.add(top)
            if top in FORBIDDEN:
                raise SystemExit(f"{name} imports {imported}: the offline verifier must do without it")
    return found, foreign


def _file_of(module: str) -> Path | None:
    base = REPOSITORY.joinpath(*module.split("."))
    for candidate in (base / "__init__.py", base.with_suffix(".py")):
        if candidate.is_file():
            return candidate
    return None


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            if node.module.split(".")[0] in OURS:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def payload() -> dict[str, bytes]:
    """Everything that is unpacked to run, by path."""
    files: dict[str, bytes] = {}
    modules, foreign = own_modules()
    for name, path in modules.items():
        inside = "/".join(name.split(".")) + ("/__init__.py" if path.name == "__init__.py" else ".py")
        files[inside] = path.read_bytes()
    for package, patterns in DATA.items():
        for pattern in patterns:
            found = sorted((REPOSITORY / package).glob(pattern))
            if not found:
                raise SystemExit(f"no {pattern} in {package}/")
            files |= {path.relative_to(REPOSITORY).as_posix(): path.read_bytes() for path in found}
    for distribution, prefixes in DISTRIBUTIONS.items():
        files |= _installed(distribution, prefixes)
    held = {path.split("/")[0] for path in files}
    if missing := sorted(foreign - held):
        raise SystemExit(f"the verifier imports {', '.join(missing)}, which no listed distribution brings")
    return files | _bytecode(files)


def _installed(distribution: str, prefixes: tuple[str, ...]) -> dict[str, bytes]:
    listed = importlib.metadata.files(distribution)
    if not listed:
        raise SystemExit(f"{distribution} is not installed, or without a list of its files")
    files = {}
    for entry in listed:
        path = entry.as_posix()
        notice = ".dist-info/" in path and ("license" in path.lower() or path.endswith("/METADATA"))
        if path.endswith(".pyc") or path.startswith(LEFT_OUT) or not (path.startswith(prefixes) or notice):
            continue
        content = Path(str(entry.locate())).read_bytes()
        if entry.hash is not None:
            _verify(path, content, entry.hash.mode, entry.hash.value)
        files[path] = content
    if not any(path.startswith(prefixes) for path in files):
        raise SystemExit(f"{distribution} brings no {prefixes}")
    return files


def _verify(path: str, content: bytes, mode: str, value: str) -> None:
    digest = base64.urlsafe_b64encode(hashlib.new(mode, content).digest()).rstrip(b"=").decode("ascii")
    if digest != value:
        raise SystemExit(f"{path} is not what its distribution installed")


def _bytecode(files: dict[str, bytes]) -> dict[str, bytes]:
    """Hash-based bytecode (PEP 552), not looked up against sources: the start-up check covers both."""
    compiled = {}
    tag = sys.implementation.cache_tag
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "source.py", Path(scratch) / "target.pyc"
        for path, content in files.items():
            if not path.endswith(".py"):
                continue
            source.write_bytes(content)
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(str(source), str(target), dfile=path, doraise=True, invalidation_mode=mode)
            folder, _, name = path.rpartition("/")
            inside = f"__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
            compiled[f"{folder}/{inside}" if folder else inside] = target.read_bytes()
    return compiled


def build(out: Path) -> None:
    """Write the file; raises SystemExit when something is missing or does not belong."""
    files = payload()
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())}
    listing = json.dumps(
        {"python": list(sys.version_info[:2]), "platform": sysconfig.get_platform(), "files": digests},
        sort_keys=True,
        indent=0,
    ).encode("ascii")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        members = {"__main__.py": BOOTSTRAP.read_bytes(), "payload.json": listing}
        members |= {f"payload/{path}": content for path, content in files.items()}
        for name, content in sorted(members.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = out.with_name(out.name + ".new")
    aside.write_bytes(b"#!/usr/bin/env python3\n" + buffer.getvalue())
    aside.chmod(0o755)
    _try(aside)
    aside.replace(out)


def _try(file: Path) -> None:
    """Run it as a stranger would: plain interpreter, no site packages, an empty cache."""
    plain = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    with tempfile.TemporaryDirectory() as cache:
        ran = subprocess.run(  # noqa: S603 - our own file under our own interpreter
            [str(plain), "-I", "-S", str(file), "--json"],
            capture_output=True,
            text=True,
            timeout=120,
            env={"XDG_CACHE_HOME": cache, "HOME": cache, "LANG": "C"},
            check=False,
        )
    if ran.returncode != 2 or json.loads(ran.stdout or "{}").get("verdict") != "INDETERMINATE":
        raise SystemExit(f"the built file does not run under {plain}:\n{ran.stdout}\n{ran.stderr}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=REPOSITORY / "dist" / "trusted-archive-verify.pyz")
    out = parser.parse_args().out
    build(out)
    sys.stdout.write(f"{out} ({out.stat().st_size} bytes)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
