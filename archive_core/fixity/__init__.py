"""Fixity: every byte of every copy read again, on a budget, for ever.

The parts: where a store's cycle is and what it found (`state`), one object of one store judged (`checking`), damage
that is planted and must be found (`canary`), random ranges with fresh nonces (`spots`), the walk through a store
(`cycle`), and the use case (`running`).
"""
