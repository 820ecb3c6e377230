"""How what an audit found is answered, whatever was audited."""

from __future__ import annotations

from api.cli.answers import BAD, GOOD
from api.cli.console import Console, shown
from api.texts import text
from archive_core.audit_result import AuditEntry, AuditResult


def line(entry: AuditEntry) -> str:
    """A finding or a note for people."""
    return f"{entry.store}  {shown(entry.path)}  {entry.code}  {shown(entry.message)}"


def answer(found: AuditResult, console: Console) -> int:
    """Exit 1 when there are findings; notes do not count."""
    lines = [line(entry) for entry in found.findings]
    lines += [f"{text('note')}: {line(entry)}" for entry in found.notes]
    checked = ", ".join(f"{count} {text(what)}" for what, count in found.checked.items())
    lines.append(text("{count} findings; checked: {checked}", count=len(found.findings), checked=checked))
    console.result(found.to_json(), lines)
    return BAD if found.findings else GOOD
