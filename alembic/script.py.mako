"""${message}

Rules of a migration
 * It runs in one transaction, on SQLite and on PostgreSQL; on SQLite a table is changed with
   `op.batch_alter_table`.
 * It names types of its own time: nothing is imported from `archive_core`, which goes on changing.
 * It never loses a fact. What can be derived from the stores may be dropped and rebuilt.
 * It only goes forward; the way back is the backup that `trusted-archive upgrade` makes first.
 * A published migration is never edited.

Revision: ${up_revision}, after ${down_revision | comma,n}
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
