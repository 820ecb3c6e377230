"""Renewal: evidence that outlives certificates and algorithms (RFC 4998 5.2).

Rules kept here
 * A renewal is one object (`rn…`) on every store: what it covers and its tree, written before an authority
   is asked; then its time-stamp. Nothing that was written before is changed by it.
 * What is covered is final: chain and revocation data are inside a token before it is covered.
 * How much a renewal writes does not depend on the number of documents (time-stamps), or is what must be
   kept of each (the values h' of a hash-tree renewal), in one file.

Begin reading at `form.py` (what lies in the object), then `timestamps.py`, `hash_trees.py`, `finishing.py`;
`chains.py` derives records from it.
"""
