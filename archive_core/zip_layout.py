"""Records of a ZIP file (APPNOTE 6.3.10) that both our writer and our reader need."""

from __future__ import annotations

import struct

LOCAL_SIGNATURE = 0x04034B50
CENTRAL_SIGNATURE = 0x02014B50
END_SIGNATURE = 0x06054B50
END64_SIGNATURE = 0x06064B50
END64_LOCATOR_SIGNATURE = 0x07064B50
DESCRIPTOR_SIGNATURE = 0x08074B50

LOCAL = struct.Struct("<IHHHHHIIIHH")
"""4.3.7: signature, version needed, flags, method, time, date, crc, compressed, size, name, extra."""
CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
"""4.3.12: signature, version made by, version needed, flags, method, time, date, crc, compressed,
size, name, extra, comment, disk, internal attributes, external attributes, offset."""
END = struct.Struct("<IHHHHIIH")
"""4.3.16: signature, disk, disk of directory, entries here, entries, directory size, offset, comment."""
END64 = struct.Struct("<IQHHIIQQQQ")
"""4.3.14: signature, size of the rest, made by, needed, disk, disk of directory, entries here,
entries, directory size, offset."""
END64_LOCATOR = struct.Struct("<IIQI")
"""4.3.15: signature, disk, offset of the ZIP64 end record, disks."""

STORED, DEFLATED = 0, 8
ENCRYPTED, DESCRIPTOR, STRONG, MASKED, UTF8 = 1 << 0, 1 << 3, 1 << 6, 1 << 13, 1 << 11
ZIP64_EXTRA = 0x0001
NEWEST_VERSION = 63
"""4.4.3.2: the newest version that a file can need, ten times 6.3."""
MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF
