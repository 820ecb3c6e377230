"""Destroying preservation objects on purpose, so that it is known what was, since when, and that it is gone.

Rules kept here
 * A tombstone is an object of its own (`form`), on every store before a byte is purged (`destroying`); it wins over
   every copy of what it speaks of, in reading, rebuild, repair and drain.
 * When is said by a fresh time-stamp, never by this machine's clock.
 * Each store owes the deletion until it is done (`paying`).
 * What is kept says nothing of the content but digests, and not even these when so asked (`records`, `judging`).
"""
