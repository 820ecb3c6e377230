"""A bag for every document, and a copy of it, by bagit.py; run by the benchmarks' own environment.

PYTHON bagit_copy.py SOURCE TARGET COPY    bags 1,000 to a directory; made durable once, at the end
"""

import ctypes
import os
import shutil
import sys

import bagit  # type: ignore[import-not-found,unused-ignore]


def main(source: str, target: str, copy: str) -> None:
    for number, name in enumerate(sorted(os.listdir(source))):
        folder = f"{number // 1000:05}/{name}"
        os.makedirs(f"{target}/{folder}")
        shutil.copyfile(f"{source}/{name}", f"{target}/{folder}/{name}")
        bagit.make_bag(f"{target}/{folder}", checksums=["sha512"])
        shutil.copytree(f"{target}/{folder}", f"{copy}/{folder}")
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(target, os.O_RDONLY)
    if libc.syncfs(descriptor):
        raise OSError(ctypes.get_errno(), "syncfs")
    os.close(descriptor)


if __name__ == "__main__":
    main(*sys.argv[1:])
