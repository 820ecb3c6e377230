"""Everything of tests/integration/test_destruction.py, on PostgreSQL."""

from tests.integration import test_destruction
from tests.integration.on_postgresql import taken_over

globals().update(taken_over(test_destruction))
