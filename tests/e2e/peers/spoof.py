#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sends one TCP packet without payload over IPv4, as if a connection of this host had.

    spoof.py SOURCE PORT DESTINATION PORT FLAGS SEQUENCE ACKNOWLEDGEMENT

FLAGS are letters of FSRA.
"""
import socket
import struct
import sys

BITS = {"F": 1, "S": 2, "R": 4, "A": 16}


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def main():
    source, sport, destination, dport, letters, seq, ack = sys.argv[1:]
    flags = sum(BITS[letter] for letter in letters)
    header = struct.pack("!HHIIBBHHH", int(sport), int(dport), int(seq) % 2**32, int(ack) % 2**32,
                         5 << 4, flags, 1000, 0, 0)
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!HH", 6, 20)
    header = header[:16] + struct.pack("!H", checksum(pseudo + header)) + header[18:]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    raw.bind((source, 0))
    raw.sendto(header, (destination, 0))


main()
