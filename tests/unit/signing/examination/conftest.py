"""One local test trust for all examinations."""

import pytest

from tests.unit.signing.examination.signing_world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A certification authority, a time-stamp unit and a seal key, made a day before NOW."""
    return World.made(tmp_path_factory.mktemp("examined") / "trust")
