"""The application for another WSGI server, over the home in `$TRUSTED_ARCHIVE_HOME`.

    gunicorn --workers 1 --threads 16 'api.wsgi:application()'

Run one scheduler beside it; this module starts none.
"""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask

from api.app import create_app
from api.logs import start_logging
from api.settings import ArchiveSettings
from api.wiring import build_archive


def application() -> Flask:
    """The application over the home in `$TRUSTED_ARCHIVE_HOME`, else `./archive-home`."""
    start_logging()
    settings = ArchiveSettings.load(Path(os.environ.get("TRUSTED_ARCHIVE_HOME") or "archive-home"))
    return create_app(build_archive(settings), settings=settings)
