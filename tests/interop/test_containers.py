"""The Containerfile and the compose file, as far as they can be judged without a container engine.

What is not judged here is said in docs/containers.md: images, health checks, ownership, networks, a deposit.
"""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.cli.parser import build_parser
from api.settings import ArchiveSettings, parse_settings
from archive_core.errors import UsageError
from tests.vectors import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "containers"
CONTAINERFILE = (FOLDER / "Containerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SETTINGS = (FOLDER / "trusted-archive.toml").read_text("utf-8")
OURS = "localhost/trusted-archive"


def faults(compose: dict[str, Any], settings_text: str) -> list[str]:
    """What cannot work in a compose file with these settings."""
    found = []
    services, secrets, volumes = compose["services"], compose["secrets"], compose["volumes"]
    settings = parse_settings(settings_text, Path("/var/lib/trusted-archive/home"))
    for name, service in services.items():
        found += [f"{name}: after {one}" for one in service.get("depends_on", {}) if one not in services]
        found += [f"{name}: secret {one}" for one in service.get("secrets", []) if one not in secrets]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not (FOLDER / source).exists() if source.startswith(".") else source not in volumes:
                found.append(f"{name}: volume {source}")
        if service["image"] == OURS:
            found += _ours(name, service, settings)
        elif ":" not in service["image"] or service["image"].endswith(":latest"):
            found.append(f"{name}: image {service['image']} of any version")
        if any("password" in str(one).lower() and "/run/secrets" not in str(one) for one in _values(service)):
            found.append(f"{name}: a password stands in it")
    return found + _elsewhere(compose, settings)


def _ours(name: str, service: dict[str, Any], settings: ArchiveSettings) -> list[str]:
    """Commands are ours, and what the settings name as credentials is there."""
    found = []
    try:
        build_parser().parse_args([str(word) for word in service["command"]])
    except UsageError:
        found.append(f"{name}: command {service['command']}")
    if not (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file():
        found.append(f"{name}: no {service['build']['dockerfile']}")
    if service["environment"]["CREDENTIALS_DIRECTORY"] != "/run/secrets":
        found.append(f"{name}: credentials lie elsewhere")
    named = set(re.findall(r"credential:([\w.-]+)", SETTINGS)) | set(
        re.findall(r"credential:([\w.-]+)", repr(settings))
    )
    return found + [f"{name}: no secret {one}" for one in sorted(named - set(service["secrets"]))]


def _elsewhere(compose: dict[str, Any], settings: ArchiveSettings) -> list[str]:
    """The settings lead to services that are there."""
    found = []
    match = re.fullmatch(r"postgresql\+psycopg://(\w+)@([\w-]+)/(\w+)", settings.catalogue.url)
    database = compose["services"].get(match[2], {}) if match else {}
    told = database.get("environment", {})
    if not match or (told.get("POSTGRES_USER"), told.get("POSTGRES_DB")) != (match[1], match[3]):
        found.append(f"catalogue: {settings.catalogue.url}")
    mounted = [one.split(":")[1] for one in compose["services"]["api-1"]["volumes"]]
    for store in settings.stores:
        if store.bucket is not None:
            where = re.fullmatch(r"http://([\w-]+):([0-9]+)", store.bucket.endpoint)
            service = compose["services"].get(where[1], {}) if where else {}
            if not where or f":{where[2]}" not in service.get("command", []):
                found.append(f"store {store.name}: {store.bucket.endpoint}")
            if not any(one.endswith(f"/{store.bucket.bucket}") for one in service.get("volumes", [])):
                found.append(f"store {store.name}: no bucket {store.bucket.bucket}")
        elif not any(store.root.startswith(f"{one}/") and store.staging.startswith(f"{one}/") for one in mounted):
            found.append(f"store {store.name}: {store.root} is on no volume")
    return found


def _values(service: dict[str, Any]) -> list[Any]:
    told = service.get("environment", {})
    return [f"{name}={value}" for name, value in told.items()] + list(service.get("command", []))


def test_the_compose_file_is_whole() -> None:
    """A database, an S3 server, two servers and two workers, and one that makes the tables before."""
    assert faults(COMPOSE, SETTINGS) == []
    commands = [service["command"][0] for service in COMPOSE["services"].values() if service["image"] == OURS]
    assert sorted(commands) == ["init", "serve", "serve", "work", "work"]
    assert len(COMPOSE["services"]) == 7


PLANTED = {
    "a command that is none": (("services", "worker-1", "command"), ["labour"], "worker-1: command"),
    "an option that is none": (("services", "api-1", "command"), ["serve", "--fast"], "api-1: command"),
    "a secret that nobody gives": (("services", "api-1", "secrets"), [], "api-1: no secret"),
    "a secret that is not there": (("secrets",), {}, "secret database.password"),
    "a volume that is not there": (("volumes",), {"home": None}, "volume store-one"),
    "a file that is not there": (("services", "s3", "volumes"), ["./nothing:/data"], "volume ./nothing"),
    "another database": (("services", "database", "environment", "POSTGRES_DB"), "other", "catalogue"),
    "another port of S3": (("services", "s3", "command"), ["--port", ":7071"], "store two"),
    "a bucket that nobody makes": (("services", "s3", "volumes"), ["s3:/data"], "no bucket"),
    "an image of any version": (("services", "s3", "image"), "docker.io/versity/versitygw:latest", "any version"),
    "a password in the open": (("services", "database", "environment", "POSTGRES_PASSWORD"), "x", "a password stands"),
    "a service after nothing": (("services", "api-1", "depends_on"), {"gone": {}}, "after gone"),
    "no Containerfile": (("services", "api-1", "build", "dockerfile"), "Dockerfile", "no Dockerfile"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_compose_file_with_a_fault_is_found_out(fault: str) -> None:
    """Each by name."""
    where, instead, said = PLANTED[fault]
    changed = copy.deepcopy(COMPOSE)
    place = changed
    for word in where[:-1]:
        place = place[word]
    place[where[-1]] = instead
    assert any(said in one for one in faults(changed, SETTINGS)), faults(changed, SETTINGS)


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the Containerfile, lines joined."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", CONTAINERFILE, flags=re.M))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def copied() -> list[tuple[list[str], str]]:
    """From where to where the Containerfile copies, out of the checkout."""
    words = [rest.split() for name, rest in instructions() if name == "COPY" and "--from=" not in rest]
    return [(one[:-1], one[-1]) for one in words]


def test_the_containerfile_copies_what_is_there_and_ends_as_nobody_special() -> None:
    """And starts a command of ours; nothing is fetched without a hash."""
    assert copied()
    for sources, _ in copied():
        for source in sources:
            assert (REPOSITORY / source).exists(), source
    found = dict(instructions())
    assert found["USER"] == "trusted-archive"
    assert yaml.safe_load(found["ENTRYPOINT"]) == ["trusted-archive"]
    build_parser().parse_args(yaml.safe_load(found["CMD"]))
    fetching = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert all("--require-hashes" in one or "--no-deps" in one for one in fetching)
    assert len(fetching) == 2
    assert not any(name == "ADD" or "curl" in rest or "wget" in rest for name, rest in instructions())


@pytest.mark.slow
def test_the_program_is_made_from_what_the_containerfile_copies(tmp_path: Path) -> None:
    """And from nothing else of the checkout: what it needs is in the wheel, migrations and published profiles too."""
    place = tmp_path / "made"
    place.mkdir()
    for sources, target in copied():
        for source in sources:
            if (REPOSITORY / source).is_dir():
                shutil.copytree(REPOSITORY / source, place / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(REPOSITORY / source, place / target)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
    ]
    done = subprocess.run([*command, str(place)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "api/cli/run.py" in names
    assert any(name.startswith("policies/published/profile-") for name in names)
    assert any("versions/0001" in name for name in names), names


def test_the_page_says_what_was_not_run() -> None:
    """On the page and in both files."""
    page = (REPOSITORY / "docs" / "containers.md").read_text("utf-8")
    assert "not run by the project's tests" in page
    assert "Not looked at:" in page
    assert all("NOT RUN" in (FOLDER / name).read_text("utf-8") for name in ("Containerfile", "compose.yaml"))
