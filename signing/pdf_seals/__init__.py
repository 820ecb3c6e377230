"""Sealed copies of PDF documents: PAdES baseline B-LTA (EN 319 142-1)."""
