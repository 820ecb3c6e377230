"""How fast the archive is, measured beside what it is compared with, in the same run.

The rules a measurement follows
 * Every run gets directories of its own; nothing is removed before a timed run, because a file system
   without a journal is slow after many removals.
 * What is compared runs in the same round, in shuffled order; the median of the rounds counts, and the
   range is shown beside it.
 * A command is measured from outside, as its user has it: start of the process, description, catalogue,
   read-back and all. Dirty pages of what ran before are written out before the clock starts.
 * A figure stands beside its goal whether it is met or not. A run that failed or looked at nothing ends
   the benchmark; a rival is left out only when that was asked for by name.
"""
