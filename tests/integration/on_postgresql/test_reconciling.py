"""Everything of tests/integration/test_reconciling.py, on PostgreSQL."""

from tests.integration import test_reconciling
from tests.integration.on_postgresql import taken_over

globals().update(taken_over(test_reconciling))
