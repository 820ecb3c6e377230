"""What the tests of the HTTP edge share: an application, keys of every role, bodies as clients send them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.home import default_settings, initialise_home
from api.settings import SETTINGS_FILE, ArchiveSettings
from api.wiring import build_archive
from archive_core.archive import Archive
from archive_core.lifecycle import Actor
from tests.templates import lay_catalogue

OPERATOR = Actor(actor_id="test", role="operator")
BOUNDARY = "----TrustedBoundary7MA4YWxk"

MAX_UPLOAD = 8 * 1024 * 1024


@dataclass
class HttpWorld:
    """An archive behind its HTTP edge."""

    home: Path
    archive: Archive
    settings: ArchiveSettings
    app: Flask
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def key(self, role: str, originator: str | None = "obec-a") -> dict[str, str]:
        """The Authorization header of a key, made on first use."""
        name = f"{role}/{originator}"
        if name not in self.keys:
            _, self.keys[name] = self.archive.create_key(label=name, role=role, originator=originator, actor=OPERATOR)
        return {"Authorization": f"Bearer {self.keys[name]}"}

    def refusals(self) -> list[tuple[str, str]]:
        """Actor and code of every refusal in the trail so far."""
        return [(row.actor, row.code) for row in self.archive.catalogue.pending_events(10_000) if row.type == "refusal"]

    def preserve(self) -> None:
        """Close and prove what waits."""
        assert {view.error for view in self.archive.preserve(actor=OPERATOR)} == {None}

    def staged(self) -> list[str]:
        """What lies in the staging directory."""
        return sorted(path.name for path in self.settings.staging.iterdir())

    def post(
        self,
        *parts: Part,
        address: str = "/v1/preservation-objects",
        who: dict[str, str] | None = None,
        **headers: str,
    ) -> TestResponse:
        """Send a multipart body as it stands; header names with `_` for `-`."""
        return self.post_raw(body_of(*parts), address=address, who=who, **headers)

    def post_raw(
        self,
        body: bytes,
        *,
        address: str = "/v1/preservation-objects",
        who: dict[str, str] | None = None,
        **headers: str,
    ) -> TestResponse:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        return self.client.post(
            address,
            input_stream=io.BytesIO(body),
            environ_overrides={"CONTENT_LENGTH": given.pop("Content-Length", str(len(body)))},
            headers={**(self.key("depositor") if who is None else who), **given},
        )

    def get(self, address: str, who: dict[str, str] | None = None, **headers: str) -> TestResponse:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(address, headers={**(self.key("depositor") if who is None else who), **given})


@dataclass(frozen=True)
class Part:
    """One part of a multipart body."""

    name: str
    content: bytes
    filename: str | None = None
    headers: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        disposition = f'Content-Disposition: form-data; name="{self.name}"'
        if self.filename is not None:
            disposition += f'; filename="{self.filename}"'
        head = "\r\n".join([disposition, *self.headers]) + "\r\n\r\n"
        return head.encode("utf-8") + self.content


def file(path: str, content: bytes, *headers: str) -> Part:
    return Part("file", content, path, headers)


def body_of(*parts: Part) -> bytes:
    lines = b"".join(b"--" + BOUNDARY.encode() + b"\r\n" + part.to_bytes() + b"\r\n" for part in parts)
    return lines + b"--" + BOUNDARY.encode() + b"--\r\n"


@contextmanager
def http_world(place: Path) -> Iterator[HttpWorld]:
    """A new home below `place`, its archive and its application, for as long as the context lasts."""
    settings = new_home(place / "home")
    archive = build_archive(settings, create=True)
    try:
        yield HttpWorld(settings.home, archive, settings, create_app(archive, settings=settings))
    finally:
        archive.close()


def made_home(home: Path) -> Path:
    """A home that a server can start on."""
    build_archive(new_home(home), create=True).close()
    return home


def new_home(home: Path) -> ArchiveSettings:
    """A home like that of `init`, but for a small limit on uploads."""
    home.mkdir()
    text = default_settings("test", "sqlite:///catalogue.sqlite3") + f"max_upload_bytes = {MAX_UPLOAD}\n"
    (home / SETTINGS_FILE).write_text(text, "utf-8")
    lay_catalogue(home / "catalogue.sqlite3")
    return initialise_home(home, at=datetime.now(UTC))
