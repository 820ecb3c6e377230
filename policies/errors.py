"""What is wrong with a policy, or with the question asked of it.

The packages above turn these into their own errors at their boundary.
"""

from __future__ import annotations


class PolicyError(ValueError):
    """A policy file does not say what a policy must say; the message names the place."""


class UnknownPolicyError(LookupError):
    """There is no policy by that name."""


class NotInForceError(LookupError):
    """The policy exists but is not in force at that time."""
