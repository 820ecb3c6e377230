"""The preservation protocol of ETSI TS 119 512 in its JSON form, over the same archive as the native interface.

The names of members, the identifiers and which result belongs to which operation were taken from what is public of the
schema of V1.1.2 and of the text of V1.2.1. The schema in `interface.yaml` is a transcription of our own and claims no
conformity (`docs/reference/ts119512.md` says what is supported, and what is not known for certain).
"""
