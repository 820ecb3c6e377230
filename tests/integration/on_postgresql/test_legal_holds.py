"""Everything of tests/integration/test_legal_holds.py, on PostgreSQL."""

from tests.integration import test_legal_holds
from tests.integration.on_postgresql import taken_over

globals().update(taken_over(test_legal_holds))
