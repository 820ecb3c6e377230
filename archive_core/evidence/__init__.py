"""Evidence by RFC 4998: trees, records, renewal chains; read, derived, verified.

Rules kept here
 * Octets are covered as they are: tokens and chains are sliced out of what was received, kept, and
   hashed; nothing is ever encoded again from a parsed form.
 * What comes from outside meets the bounded reader first (`der`, `token`, `record`, `loading`);
   writing goes through the ASN.1 module (`ers`), and tests hold the two against each other.
 * Hashing is in `hash_tree`, writing in `derivation` (versioned), judging in `verification` and
   `coverage`; the profile of BSI TR-ESOR is linted in `basis_ers`.
 * Whether a token is trusted is asked through `ports.TimestampValidator`, whether an algorithm is
   still good through the dated table of `policies`; nothing here has a date or an algorithm of its own.
"""
