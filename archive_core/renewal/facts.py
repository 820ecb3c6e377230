"""What is known of when a time-stamp ends, kept beside its row in the catalogue and handed to the policies.

Rules kept here
 * The facts follow from the token and its validation data, judged as of its own genTime: a rebuilt catalogue
   has the same.
 * Where no path was found then, nothing is known; the policies take that as a reason to look at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from archive_core import reading
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import HeadRow
from archive_core.findings import utc_text
from archive_core.identifiers import RENEWAL, number_of
from archive_core.ports import TokenAssessment
from policies.renewal_values import ChainFacts, RenewalKind, SignatureUse, StatusChange, TokenFacts

Order = tuple[RenewalKind, datetime]
"""An operator's order and its instant."""


def facts_of(assessed: TokenAssessment) -> dict[str, Any] | None:
    """The facts as JSON; None when the validator found no path."""
    if assessed.signer_until is None:
        return None
    return {
        "signer_until": utc_text(assessed.signer_until),
        "authority_until": utc_text(assessed.authority_until) if assessed.authority_until else None,
        "digests": list(assessed.digests),
        "signatures": [[scheme, bits] for scheme, bits in assessed.signatures],
    }


def token_facts(
    facts: Mapping[str, Any] | None,
    *,
    position: int,
    tsa: str,
    gen_time: datetime,
    trusted_until: datetime | None,
    status: StatusChange | None = None,
) -> TokenFacts:
    """The policies' view of a stamp. `trusted_until` stands in where no more is known."""
    known = facts or {}
    signer = reading.instant(known["signer_until"], "signer_until") if known else trusted_until
    above = known.get("authority_until")
    return TokenFacts(
        position=position,
        tsa=tsa,
        gen_time=gen_time,
        signer_until=signer,
        authority_until=reading.instant(above, "authority_until") if above else None,
        digests=tuple(known.get("digests", ())),
        signatures=tuple(SignatureUse(scheme, bits) for scheme, bits in known.get("signatures", ())),
        validation_data_complete=signer is not None,
        status=status,
    )


def chain_facts(
    catalogue: Catalogue,
    heads: Sequence[HeadRow],
    *,
    status: Mapping[str, StatusChange] | None = None,
    ordered: Mapping[tuple[int, str], Order] | None = None,
) -> list[ChainFacts]:
    """The newest chain of every line of every batch among `heads`, for the policies.

    `status` is what became known of authorities, by name; where there is such news the whole chain is
    given, so that a renewal can start again below a time-stamp that turned bad.
    """
    news, orders = status or {}, ordered or {}
    tsa_of = {row.storage_object: row.tsa for row in catalogue.renewals()}
    digests: dict[int, set[str]] = {}
    for head in heads:
        digests.setdefault(head.batch, set()).add(head.digest)
    begins = catalogue.chain_begins() if any(head.position for head in heads) else {}
    found = []
    for head in heads:
        newest = _facts_of_head(head, tsa_of, news)
        tokens = [newest]
        began = begins[head.batch, head.line, head.chain] if head.position else head.gen_time
        if head.position and newest.status is not None:
            rows = [row for row in catalogue.stamps(head.batch, head.line) if row.chain == head.chain]
            tokens = [_facts_of_head(replace(head, **_place(row)), tsa_of, news) for row in rows]
        found.append(
            ChainFacts(
                batch=head.batch,
                line=head.line,
                documents=head.leaf_count,
                digest=head.digest,
                began=began,
                tokens=tuple(tokens),
                other_digests=frozenset(digests[head.batch] - {head.digest}),
                ordered=orders.get((head.batch, head.line)),
            )
        )
    return found


def _place(row: Any) -> dict[str, Any]:
    """What tells one stamp of a line from another."""
    return {
        name: getattr(row, name)
        for name in (
            "chain",
            "position",
            "gen_time",
            "storage_object",
            "ocfl_path",
            "token_digest",
            "trusted_until",
            "facts",
        )
    }


def _facts_of_head(head: HeadRow, tsa_of: Mapping[str, str], news: Mapping[str, StatusChange]) -> TokenFacts:
    is_renewal = number_of(head.storage_object, RENEWAL) is not None
    tsa = tsa_of[head.storage_object] if is_renewal else head.tsa
    status = news.get(tsa)
    return token_facts(
        head.facts,
        position=head.position,
        tsa=tsa,
        gen_time=head.gen_time,
        trusted_until=head.trusted_until,
        status=status if status is not None and status.concerns(head.gen_time) else None,
    )
