"""Everything of tests/integration/test_copies.py, on PostgreSQL."""

from tests.integration import test_copies
from tests.integration.on_postgresql import taken_over

globals().update(taken_over(test_copies))
