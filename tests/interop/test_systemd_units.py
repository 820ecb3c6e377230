"""systemd itself judges our units: each is good, each planted fault is refused; and what they start exists."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from api.cli.parser import build_parser
from api.home import initialise_home
from api.settings import ArchiveSettings
from api.wiring import build_archive
from archive_core.clock import SystemClock
from archive_core.errors import UsageError
from tests.integration import http_server
from tests.vectors import REPOSITORY, in_ci

UNITS = REPOSITORY / "deploy" / "systemd"
PROGRAM = "/opt/trusted-archive/.venv/bin/trusted-archive"
INSTANCE = {"trusted-archive-web@.service": "8081", "trusted-archive-worker@.service": "1"}
NAMES = sorted(path.name for path in UNITS.iterdir())
SECURE = 20
"""The most that `systemd-analyze security` may find, in tenths (0 nothing, 100 everything)."""


def need_systemd() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        said = "systemd-analyze is not installed: no unit was judged (apt-get install systemd)"
        pytest.fail(said) if in_ci() else pytest.skip(said)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system with systemd's own units, ours, and a program where they look for it."""
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    (tmp_path / "etc/systemd").mkdir(parents=True)
    shutil.copytree(UNITS, tmp_path / "etc/systemd/system")
    program = tmp_path / PROGRAM.lstrip("/")
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def judged(root: Path, unit: str, *words: str) -> tuple[int, str]:
    command = [need_systemd(), *words, f"--root={root}", unit.replace("@.", f"@{INSTANCE.get(unit, '')}.")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.interop
@pytest.mark.parametrize("unit", NAMES)
def test_systemd_has_nothing_to_say_about_a_unit(root: Path, unit: str) -> None:
    """Neither an error nor a warning: an unknown key is only told, so silence is asked for."""
    assert judged(root, unit, "verify", "--man=no") == (0, "")


FAULTS = {
    "an unknown key": ("NoNewPrivileges=yes", "NoNewPrivilege=yes"),
    "a wrong value": ("ProtectSystem=strict", "ProtectSystem=tight"),
    "a wrong kind": ("Type=", "Type=gentle-"),
    "a program that is not there": (f"ExecStart={PROGRAM}", "ExecStart=/opt/trusted-archive/bin/gone"),
    "a path that is none": ("WorkingDirectory=/", "WorkingDirectory=./"),
    "no program at all": ("ExecStart=", "# ExecStart="),
    "a system call that nobody knows": ("~@privileged", "~@privileges"),
}


@pytest.mark.interop
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("unit", NAMES)
def test_systemd_refuses_a_unit_with_a_fault(root: Path, unit: str, fault: str) -> None:
    """The judge sees what is wrong, so its silence means something."""
    path = root / "etc/systemd/system" / unit
    good = path.read_text("utf-8")
    bad = good.replace(*FAULTS[fault])
    assert bad != good
    path.write_text(bad, "utf-8")
    code, said = judged(root, unit, "verify", "--man=no")
    assert code != 0 or unit.replace("@.", f"@{INSTANCE.get(unit, '')}.") in said or unit in said, said
    assert said != ""


@pytest.mark.interop
@pytest.mark.parametrize("unit", NAMES)
def test_a_unit_may_do_little(root: Path, unit: str) -> None:
    """What it is still exposed to is small, and a unit without the limits is told from it."""
    measure = ("security", "--offline=yes", f"--threshold={SECURE}")
    assert judged(root, unit, *measure)[0] == 0
    path = root / "etc/systemd/system" / unit
    open_to_all = re.sub(
        r"^(Protect|Private|Restrict|SystemCall|Capability|NoNew).*\n", "", path.read_text("utf-8"), flags=re.M
    )
    path.write_text(open_to_all, "utf-8")
    assert judged(root, unit, *measure)[0] != 0


@pytest.mark.parametrize("unit", NAMES)
def test_a_unit_starts_a_command_of_ours(unit: str) -> None:
    """With options that it has; secrets stand in no unit, and the page names each unit and file."""
    text = (UNITS / unit).read_text("utf-8")
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.M)
    words = shlex.split(line.replace("%i", INSTANCE.get(unit, "")))
    assert words[0] == PROGRAM
    build_parser().parse_args(words[1:])
    assert not re.search(r"^(SetCredential|Environment=.*(PASSWORD|SECRET|KEY|PIN))", text, re.M | re.I)
    page = (REPOSITORY / "docs" / "run-as-a-service.md").read_text("utf-8")
    assert unit.split("@")[0].removesuffix(".service") + ("@" if "@" in unit else "") in page
    with pytest.raises(UsageError):
        build_parser().parse_args([*words[1:], "--not-an-option"])


@pytest.mark.slow
def test_a_server_says_when_it_is_ready_and_no_sooner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Type=notify`: READY=1 comes when it listens; without a word to the service manager nothing waits for it."""
    home = tmp_path / "home"
    initialise_home(home, at=SystemClock().now())
    build_archive(ArchiveSettings.load(home), create=True).close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with http_server.running_server(home) as server:
            assert b"READY=1" in manager.recv(4096)
            with socket.create_connection((server.host, server.port), 5):
                pass
            assert server.stop() == 0
