"""Legal holds: the events that place and lift them are found by their object.

Revision: 0010, after 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEX, WHERE = "ix_events_legal_holds", "type = 'legal hold'"


def upgrade() -> None:
    op.create_index(INDEX, "events", ["poid", "arrival"], sqlite_where=sa.text(WHERE), postgresql_where=sa.text(WHERE))


def downgrade() -> None:
    op.drop_index(INDEX, table_name="events")
