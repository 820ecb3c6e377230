"""Everything of tests/integration/test_fixity.py, on PostgreSQL."""

from tests.integration import test_fixity
from tests.integration.on_postgresql import taken_over

globals().update(taken_over(test_fixity))
