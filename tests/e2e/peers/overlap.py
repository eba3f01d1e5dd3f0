#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""overlap.py INTERFACE OWN-MAC PEER-MAC SOURCE ADDRESS PORT [FILE]: a client made of raw IPv4 packets.
It sends ten bytes again together with ten new ones in one segment, as a sender does that has lost an
ACK and merges its retransmission with what follows, and prints what it said, once. With FILE a PROXY
header comes first, and it sends nothing again before that exists."""

import binascii
import os
import socket
import struct
import sys
import time

from raw import ACK, FIN, PSH, SYN, checksum, segment

INTERFACE, OWN, PEER, SOURCE, ADDRESS, PORT = sys.argv[1:7]
GO = sys.argv[7] if len(sys.argv) > 7 else None
PROXY = b"PROXY TCP4 203.0.113.9 203.0.113.1 4711 8443\r\n" if GO else b""
LINK = binascii.unhexlify((PEER + OWN).replace(":", "")) + b"\x08\x00"
SOURCE_PORT = 20000 + int(PORT) % 1000
RAW = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))


def send(seq, ack, flags, data=b""):
    ends = socket.inet_aton(SOURCE), socket.inet_aton(ADDRESS)
    tcp = segment(ends, (SOURCE_PORT, int(PORT)), seq, ack, flags, 65000, data)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + b"".join(ends)
    RAW.send(LINK + ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp)


def await_ack(of):
    """Until the peer acknowledges `of`; returns its sequence number."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        tcp = RAW.recv(65536)[34:]
        peer_port, port, seq, ack = struct.unpack("!HHII", tcp[:12])
        if (peer_port, port) == (int(PORT), SOURCE_PORT) and tcp[13] & ACK and ack == of:
            return seq
    sys.exit("no ACK of %d" % of)


def main():
    RAW.bind((INTERFACE, 0))
    RAW.settimeout(10)
    seq = 1000
    send(seq, 0, SYN)
    ack = await_ack(seq + 1) + 1
    seq += 1
    send(seq, ack, ACK)
    said = b""
    for old, new in ((b"", PROXY + b"XYZZY hello\r\n"), (b"", b"0123456789"),
                     (b"0123456789", b"abcdefghij"), (b"", b"KLMNOPQRST")):
        while old and GO and not os.path.exists(GO):
            time.sleep(0.01)
        send(seq - len(old), ack, ACK | PSH, old + new)
        seq += len(new)
        said += new
        await_ack(seq)
    send(seq, ack, ACK | FIN)
    await_ack(seq + 1)
    print(said[len(PROXY):].decode(), end="")


main()
