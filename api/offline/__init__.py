"""The offline verifier: what an auditor runs to check evidence without trusting us.

Rules kept here
 * No network, no database, no server: of this product it imports the policies, the pure parts of
   `archive_core` and the validators of `signing`, and nothing else. A test watches the imports.
 * Trust comes from the caller (`--trust`). Certificates inside a bundle, a record or a token only
   help to build paths.
 * Whatever the input, the answer is a verdict and an exit code in bounded time and memory:
   0 PASSED, 1 FAILED, 2 wrong use, 3 INDETERMINATE.
"""
