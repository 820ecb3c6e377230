"""Homes whose second store is a bucket."""

from datetime import UTC, datetime
from pathlib import Path

from api.home import initialise_home
from api.settings import SETTINGS_FILE
from storage_backends.s3_client import S3Place

_SECOND = '[[store]]\nname = "two"\nscheme = "filesystem"\nroot = "stores/two"\nstaging = "staging/two"\n'


def home_with_bucket(
    folder: Path, place: S3Place, *, more: str = "", copies: str = "", endpoint: str = "", attempts: int = 2
) -> Path:
    """A new home in `folder`: the store `one` in a directory, `two` in the bucket. `more` are further lines of the
    store's table, `copies` those of other tables; `endpoint` may name a way to the server besides the direct one;
    `attempts` are the tries of a request."""
    home = folder / "home"
    initialise_home(home, at=datetime.now(UTC))
    (home / "access").write_text(place.access_key())
    (home / "secret").write_text(place.secret_key())
    block = f"""[[store]]
name = "two"
scheme = "s3"
endpoint = "{endpoint or place.endpoint}"
bucket = "{place.bucket}"
prefix = "{place.prefix}"
access_key = "file:access"
secret_key = "file:secret"
connect_timeout = 1.0
attempts = {attempts}
{more}
"""
    settings = home / SETTINGS_FILE
    text = settings.read_text()
    assert _SECOND in text
    settings.write_text(text.replace(_SECOND, block) + f"\n{copies}\n")
    return home
