"""`keys create | list | revoke`: who may use the HTTP interface."""

from __future__ import annotations

import argparse

from api.cli.answers import GOOD, table
from api.cli.console import Console, shown
from api.cli.opening import actor, opened, settings_of
from api.texts import marked, text
from archive_core.findings import utc_text

_KEYS = (
    marked("key"),
    marked("role"),
    marked("organisation"),
    marked("created"),
    marked("last used"),
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
            label=arguments.label or arguments.role, role=arguments.role, originator=organisation, actor=actor()
        )
    document = {
        "key_id": row.key_id,
        "label": row.label,
        "role": row.role,
        "organisation": row.originator,
        "secret": secret,
    }
    hint = text("The secret is shown only now. Send it as: Authorization: Bearer SECRET")
    console.result(document, [f"{row.key_id}  {row.role}  {shown(row.originator or ALL)}", secret, hint])
    return GOOD


def list_keys(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        rows = archive.keys()
    documents = [
        {
            "key_id": row.key_id,
            "label": row.label,
            "role": row.role,
            "organisation": row.originator,
            "created": utc_text(row.created),
            "revoked": utc_text(row.revoked_at) if row.revoked_at else None,
            "last_used": utc_text(row.last_used) if row.last_used else None,
        }
        for row in rows
    ]
    lines = [
        (
            row.key_id,
            row.role,
            shown(row.originator or ALL),
            utc_text(row.created),
            utc_text(row.last_used) if row.last_used else "-",
            text("revoked") if row.revoked_at else text("valid"),
            shown(row.label),
        )
        for row in rows
    ]
    console.result({"keys": documents}, table(_KEYS, lines) or [text("No keys yet: trusted-archive keys create")])
    return GOOD


def revoke(arguments: argparse.Namespace, console: Console) -> int:
    with opened(arguments, console) as archive:
        row = archive.revoke_key(arguments.key_id, actor=actor())
    assert row.revoked_at is not None
    document = {"key_id": row.key_id, "revoked": utc_text(row.revoked_at)}
    console.result(document, [f"{row.key_id}  {text('revoked')}"])
    return GOOD
