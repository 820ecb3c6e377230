"""The domain of Trusted Archive: values, ports, use cases, OCFL, evidence, trail, catalogue; no network.

`archive_core/README.md` walks one deposit from request to receipt.
"""

__version__ = "0.1.0"
