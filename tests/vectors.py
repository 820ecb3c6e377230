"""Where the third-party test cases lie.

The rules this module keeps:

* Vectors are never copied into the repository. They lie in `../shared/vectors`, beside the checkout.
* An absent suite is named. On a developer's machine its tests are skipped; with CI=true they fail.
* A suite that is present but empty is an error: a check that looked at nothing proves nothing.
"""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
VECTORS = REPOSITORY.parent / "shared" / "vectors"


def in_ci() -> bool:
    """Say whether this run must not leave anything out."""
    return os.environ.get("CI", "").lower() == "true"


def missing(what: str) -> None:
    """Stop the running test because `what` is absent: skipped locally, failed with CI=true."""
    if in_ci():
        pytest.fail(f"{what} is absent, and with CI=true nothing may be left out", pytrace=False)
    pytest.skip(f"{what} is absent")


def suite(name: str) -> Path:
    """Return the directory of the vector suite `name` (for instance `bc-ers`).

    Stops the running test through `missing` where it is not there. Raises FileNotFoundError where the directory
    is there and holds nothing.
    """
    directory = VECTORS / name
    if not directory.is_dir():
        missing(f"vector suite {name} (../shared/vectors/{name})")
    if not any(directory.iterdir()):
        raise FileNotFoundError(f"vector suite {name} is empty: {directory}")
    return directory


def available(name: str) -> Path | None:
    """Return the directory of suite `name`, or None: for collecting parameters, where skipping is too early."""
    directory = VECTORS / name
    return directory if directory.is_dir() else None
