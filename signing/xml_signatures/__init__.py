"""XML signatures (XMLDSig core, W3C 2008 and 1.1) from untrusted sources, on lxml and our own mathematics.

Shared by the examination of XAdES and by trusted lists. Trust, time and revocation are not judged here.
"""
