"""Fuzzing of every parser of ours: `python -m tests.fuzz TARGET --seconds N` (standards.md SEC-03).

    targets_*.py   what is fuzzed: one `Target` a parser, with the claims that must hold for any input
    target.py      what a target is, and the registry
    corpus.py      seeds, made by our own code; third-party vectors are read at run time
    mutation.py    changes that know bytes, text, JSON, DER or ZIP
    bounds.py      time and memory of one input
    engines.py     atheris (coverage-guided, where there is a wheel), or plain mutation
    test_fuzz_smoke.py   each target for a moment in the normal suite

What a run finds becomes a named test in tests/unit.
"""
