"""The outside edge of Trusted Archive: HTTP, command line, scheduler, wiring.

Both commands enter through this package, so the platform is refused here, before anything else is imported that
would fail on it with a riddle.
"""

import sys

if sys.platform == "win32":
    raise SystemExit(
        "Trusted Archive does not run on Windows: it relies on POSIX file locks and on fsync of directories. "
        "Use Linux (also in a virtual machine or WSL 2)."
    )
