"""Everything of tests/integration/test_repair.py, on PostgreSQL."""

from tests.integration import test_repair
from tests.integration.on_postgresql import taken_over

globals().update(taken_over(test_repair))
