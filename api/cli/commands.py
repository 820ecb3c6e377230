"""Which function does which command.

Rules kept here
 * Every command is words in, one call on the archive, one answer out.
 * A command's module is imported when the command runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module

from api.cli.console import Console

CommandFunction = Callable[[argparse.Namespace, Console], int]

_PLACES = {
    "init": "operating:init",
    "serve": "operating:serve",
    "work": "operating:work",
    "deposit": "depositing:deposit",
    "update": "depositing:update",
    "preserve": "proving:preserve",
    "status": "operating:status",
    "list": "looking:list_objects",
    "show": "looking:show",
    "retrieve": "giving:retrieve",
    "evidence": "giving:evidence",
    "receipt": "giving:receipt",
    "export": "giving:export",
    "sealed-copy": "giving:sealed_copy",
    "verify": "proving:verify",
    "destroy": "destroying:destroy",
    "hold": "holding:hold",
    "audit": "proving:audit",
    "repair": "repairing:repair",
    "trace": "looking:trace",
    "profiles": "looking:profiles",
    "rebuild-catalogue": "rebuilding:rebuild_catalogue",
    "backup": "backing_up:backup",
    "restore": "backing_up:restore",
    "algorithms": "algorithms:algorithms",
    "examine": "examining:examine",
    "examination": "quarantining:examination",
    "lists-show": "listing_lists:show",
    "lists-refresh": "listing_lists:refresh",
    "lists-export": "listing_lists:export",
    "quarantine-list": "quarantining:list_quarantine",
    "quarantine-release": "quarantining:release",
    "quarantine-reject": "quarantining:reject",
    "upgrade": "operating:upgrade",
    "doctor": "operating:doctor",
    "keys-create": "keys:create",
    "keys-list": "keys:list_keys",
    "keys-rotate": "keys:rotate",
    "keys-revoke": "keys:revoke",
    "changes": "changing:changes",
    "search": "searching:search",
    "webhooks-list": "changing:list_webhooks",
    "webhooks-resume": "changing:resume",
    "organisations-add": "organisations:add",
    "organisations-list": "organisations:list_organisations",
    "organisations-change": "organisations:change",
    "organisations-close": "organisations:close",
    "organisations-reopen": "organisations:reopen",
    "stores-list": "storing:list_stores",
    "stores-add": "storing:add",
    "stores-drain": "storing:drain",
    "stores-retire": "storing:retire",
    "stores-compare": "storing:compare",
    "stores-pay": "storing:pay",
    "stores-probe": "storing:probe",
    "fixity-run": "fixing:run_fixity",
    "fixity-status": "fixing:status",
    "renewal-run": "renewing:run_renewal",
    "renewal-status": "renewing:status",
    "renewal-pause": "renewing:pause",
    "renewal-resume": "renewing:resume",
    "renewal-plan": "forecasting:plan",
    "renewal-drill": "drilling:drill",
}


def command(name: str) -> CommandFunction:
    """The function of a command; raises `KeyError` for one that is not there."""
    module, _, function = _PLACES[name].partition(":")
    found: CommandFunction = getattr(import_module(f"api.cli.{module}"), function)
    return found
