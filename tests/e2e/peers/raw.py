# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""TCP segments as raw sockets send them, for the peers that no kernel would be."""
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
TCP = 6


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def segment(ends, ports, seq, ack, flags, window, data=b""):
    """From the first to the second of the ends, packed addresses of either family."""
    header = struct.pack("!HHIIBBHHH", *ports, seq % 2**32, ack % 2**32, 5 << 4, flags, window, 0, 0)
    pseudo = b"".join(ends) + struct.pack("!II", len(header) + len(data), TCP)
    return header[:16] + struct.pack("!H", checksum(pseudo + header + data)) + header[18:] + data
