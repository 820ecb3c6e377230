"""Promises and dates: what is pledged to depositors, and which algorithm is good until when.

Rules kept here
 * Pure data and pure decisions: nothing is read but this package's own published files, no clock is
   asked (every decision takes `at=`), and nothing of the other packages is imported.
 * What is published is dated and identified, superseded by a new file and never edited: the digest
   of each file stands in the statements that were sealed under it.
"""

from policies.algorithms import AlgorithmTable, Suitability, current_algorithms
from policies.algorithms import published_tables as published_tables
from policies.errors import NotInForceError, PolicyError, UnknownPolicyError
from policies.profiles import PreservationProfile, is_batch_due, profile_at, published_profiles

__all__ = [
    "AlgorithmTable",
    "NotInForceError",
    "PolicyError",
    "PreservationProfile",
    "Suitability",
    "UnknownPolicyError",
    "current_algorithms",
    "is_batch_due",
    "profile_at",
    "published_profiles",
    "published_tables",
]
