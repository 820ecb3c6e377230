"""The settings file: what is refused, and how it is said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.home import initialise_home
from api.settings import SETTINGS_FILE, parse_settings
from api.settings_table import Secret
from archive_core.errors import SettingsError


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The settings of a new home."""
    home = tmp_path_factory.mktemp("settings") / "home"
    initialise_home(home, at=datetime(2026, 3, 1, tzinfo=UTC), catalogue_url="sqlite:///catalogue.sqlite3")
    return (home / SETTINGS_FILE).read_text("utf-8")


def test_the_settings_of_a_new_home_are_read(good: str) -> None:
    """What `init` writes is what the program reads."""
    assert len(parse_settings(good, Path("/home")).stores) == 2


@pytest.mark.parametrize("line", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = " + "{b = " * 3000, "a = "])
def test_settings_that_no_parser_gets_through_are_refused(good: str, line: str) -> None:
    """Nesting that exhausts the stack and numbers that are too long are refused like any other nonsense."""
    with pytest.raises(SettingsError, match="not TOML"):
        parse_settings(f"{line}\n{good}", Path("/home"))


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1" + "0" * 400, "1e999"])
def test_a_time_without_measure_is_refused(good: str, number: str) -> None:
    """Seconds are a number that can be waited for."""
    changed = good.replace("[server]", f"[server]\ninterval = {number}")
    assert changed != good
    with pytest.raises(SettingsError, match="interval"):
        parse_settings(changed, Path("/home"))


def test_settings_of_any_length_are_refused_quickly(good: str) -> None:
    """What a parser would chew on for hours is not given to it."""
    with pytest.raises(SettingsError, match="more than"):
        parse_settings(f"{'a.' * 2_000_000}b = 1\n{good}", Path("/home"))


def test_a_seal_digests_with_what_the_settings_say(good: str) -> None:
    """SHA-512 unless another is named; what is no digest for seals is refused."""
    assert parse_settings(good, Path("/home")).seal.digest == "sha512"
    chosen = good.replace("[seal]", '[seal]\ndigest = "sha3-512"')
    assert parse_settings(chosen, Path("/home")).seal.digest == "sha3-512"
    for name in ("sha1", "md5", "SHA-512", ""):
        with pytest.raises(SettingsError, match="digest is one of"):
            parse_settings(good.replace("[seal]", f'[seal]\ndigest = "{name}"'), Path("/home"))


BUCKET = """
[[store]]
name = "far"
scheme = "s3"
bucket = "documents"
access_key = "env:KEY"
secret_key = "file:secret"
"""


def test_a_bucket_is_a_store_with_what_is_usual(good: str) -> None:
    """Only bucket and keys must be said; the keys themselves are not read."""
    (*_, far) = parse_settings(good + BUCKET, Path("/home")).stores
    assert far.bucket is not None
    assert (far.bucket.prefix, far.bucket.path_style, far.bucket.attempts) == ("trusted-archive", True, 3)
    assert (far.required, far.site, far.lock) == (True, "", None)
    assert far.place(Path("/home")) == "s3://documents/trusted-archive"
    assert "file:secret" not in repr(far)


@pytest.mark.parametrize(
    "line",
    [
        'bucket = "Documents"',
        'root = "stores/far"',
        'secret_key = ""',
        'prefix = "/x"',
        'prefix = "x/../y"',
        'endpoint = "ftp://server"',
        'endpoint = "https://user:word@server"',
        "connect_timeout = 0.0",
        "attempts = 0",
        "connections = 1000",
        'lock = "immutable"',
        'lock = "forever"',
        'lock = "compliance"\nlock_days = 30\nlock_renew_days = 30',
        'lock = "compliance"\nlock_failing = "ignore"',
        "[copies]\nstores = 1",
        "[copies]\nstores = 4",
        "[copies]\nsites = 4",
    ],
)
def test_a_bucket_that_cannot_be_meant_is_refused(good: str, line: str) -> None:
    """Each is named before anything is asked of a server."""
    key = line.partition(" ")[0]
    kept = "".join(one for one in BUCKET.splitlines(keepends=True) if not one.startswith(f"{key} "))
    if key == "secret_key":
        line = ""
    with pytest.raises(SettingsError):
        parse_settings(f"{good}{kept}{line}\n", Path("/home"))


def test_not_all_stores_may_be_dispensable(good: str) -> None:
    """Somewhere a deposit must be before it is acknowledged."""
    with pytest.raises(SettingsError, match="must be required"):
        parse_settings(good.replace('scheme = "filesystem"', 'scheme = "filesystem"\nrequired = false'), Path("/home"))


def test_how_fast_copies_are_read_again_is_said_for_all_and_for_one(good: str) -> None:
    """What a store does not say is as for all; without anything it is as usual."""
    assert parse_settings(good, Path("/home")).fixity.days_per_cycle == 90
    text = (
        f"{good}\n[fixity]\ndays_per_cycle = 30\nfrom_hour = 22\n[[fixity.store]]\nname = 'two'\nmib_per_second = 1.5\n"
    )
    found = parse_settings(text, Path("/home")).fixity
    ((name, own),) = found.stores

    assert (found.days_per_cycle, found.mib_per_second, found.from_hour) == (30, 20, 22)
    assert (name, own.days_per_cycle, own.mib_per_second, own.from_hour) == ("two", 30, 1.5, 22)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("days_per_cycle = 0", "days_per_cycle"),
        ("mib_per_second = -1", "mib_per_second"),
        ("from_hour = 24", "from_hour"),
        ("hours = 3", "hours"),
        ("[[fixity.store]]\nname = 'three'", "three"),
        ("[[fixity.store]]\nname = 'one'\n[[fixity.store]]\nname = 'one'", "same name"),
        ("[[fixity.store]]\nname = 'one'\nuntil_hour = 25", "until_hour"),
    ],
)
def test_fixity_that_cannot_be_meant_is_refused(good: str, line: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_settings(f"{good}\n[fixity]\n{line}\n", Path("/home"))


@pytest.mark.parametrize("name", ["password", "client_password", "proxy_password"])
def test_a_secret_in_the_settings_is_refused_and_not_shown(good: str, name: str) -> None:
    """Only its address stands there; what is none may be the secret itself."""
    mine = f'[[timestamp_authority]]\nname = "paid"\nscheme = "http"\nurl = "https://a/"\n{name} = "planted-5e2d"\n'
    with pytest.raises(SettingsError, match="address of a secret") as caught:
        parse_settings(f"{good}\n{mine}", Path("/home"))
    assert "planted-5e2d" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('pin = "planted-5e2d"', "address of a secret"),
        ('login = "magic"', "login is one of"),
        ("timeout = 0.0", "timeout is"),
        ('proxy_user = "me"', "written together"),
        ('[[seal.next]]\nkey = "local:"', "`since` is missing"),
        ("[[seal.next]]\nsince = 2031-01-01T00:00:00", "with its offset"),
        ("[[seal.next]]\nsince = 2031-01-01\n[[seal.next.next]]\nsince = 2032-01-01", "unknown key"),
    ],
)
def test_a_seal_key_that_cannot_be_is_refused(good: str, line: str, said: str) -> None:
    """When the settings are read."""
    with pytest.raises(SettingsError, match=said) as caught:
        parse_settings(
            good.replace("[seal]", f"[seal]\n{line}" if "[[" not in line else "[seal]").replace(
                "[server]", f"{line}\n[server]" if "[[" in line else "[server]"
            ),
            Path("/home"),
        )
    assert "planted-5e2d" not in str(caught.value)


def test_a_credential_of_the_service_is_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd says in which folder they lie; the name is that of `LoadCredential=`."""
    (tmp_path / "tsa.password").write_text("s3cret\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Secret("credential:tsa.password").reveal(Path("/home")) == "s3cret"


@pytest.mark.parametrize("name", ["", "../tsa.password", "/etc/passwd", ".hidden", "a/b", "nothing-there"])
def test_a_credential_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Another folder's file, no name, one that the service was not given."""
    (tmp_path.parent / "tsa.password").write_text("not yours")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SettingsError, match="credential"):
        Secret(f"credential:{name}").reveal(Path("/home"))


def test_without_a_service_manager_there_are_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in a terminal says so."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SettingsError, match="CREDENTIALS_DIRECTORY is not set"):
        Secret("credential:tsa.password").reveal(Path("/home"))
