"""`keys create | list | rotate | revoke`: who may use the HTTP interface."""

from __future__ import annotations

import argparse

from api.cli.answers import GOOD, table
from api.cli.console import Console, shown
from api.cli.opening import actor, opened, settings_of
from api.keys_json import key_json
from api.texts import marked, text
from archive_core.catalogue.rows import KeyRow
from archive_core.findings import utc_text

_KEYS = (
    marked("key"),
    marked("role"),
    marked("organisation"),
    marked("created"),
    marked("last used"),
    marked("ends"),
    marked("state"),
    marked("label"),
)

ALL = "*"
"""How a key that sees every organisation is shown to people."""


def create(arguments: argparse.Namespace, console: Console) -> int:
    """A depositor's key is bound to an organisation, the home's own unless another is named."""
    organisation = arguments.organisation
    if organisation is None and arguments.role == "depositor":
        organisation = settings_of(arguments).default_originator
    with opened(arguments, console) as archive:
        row, secret = archive.create_key(
            label=arguments.label or arguments.role,
            role=arguments.role,
            originator=organisation,
            expires=arguments.expires,
            scopes=arguments.scopes,
            rate_per_minute=arguments.rate,
            actor=actor(),
        )
    console.result({**key_json(row, good=True), "secret": secret}, _secret_lines(row, secret))
    return GOOD


def list_keys(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        rows = [(row, archive.is_good_key(row)) for row in archive.keys(actor=actor())]
    lines = [
        (
            row.key_id,
            row.role,
            shown(row.originator or ALL),
            utc_text(row.created),
            utc_text(row.last_used) if row.last_used else "-",
            utc_text(row.expires) if row.expires else "-",
            text("revoked") if row.revoked_at else text("valid") if good else text("ended"),
            shown(row.label),
        )
        for row, good in rows
    ]
    none = [text("No keys yet: trusted-archive keys create")]
    console.result({"keys": [key_json(row, good=good) for row, good in rows]}, table(_KEYS, lines) or none)
    return GOOD


def rotate(arguments: argparse.Namespace, console: Console) -> int:
    """A new key like an old one, which goes on being good for a while."""
    with opened(arguments, console) as archive:
        old, row, secret = archive.rotate_key(arguments.key_id, overlap=arguments.overlap, actor=actor())
        replaced = key_json(old, good=archive.is_good_key(old))
    assert old.expires is not None
    ends = text("{key} is good until {end}", key=old.key_id, end=utc_text(old.expires))
    document = {**key_json(row, good=True), "secret": secret, "replaced": replaced}
    console.result(document, [*_secret_lines(row, secret), ends])
    return GOOD


def revoke(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        row = archive.revoke_key(arguments.key_id, actor=actor())
    assert row.revoked_at is not None
    document = {"key_id": row.key_id, "revoked": utc_text(row.revoked_at)}
    console.result(document, [f"{row.key_id}  {text('revoked')}"])
    return GOOD


def _secret_lines(row: KeyRow, secret: str) -> list[str]:
    hint = text("The secret is shown only now. Send it as: Authorization: Bearer SECRET")
    return [f"{row.key_id}  {row.role}  {shown(row.originator or ALL)}", secret, hint]
