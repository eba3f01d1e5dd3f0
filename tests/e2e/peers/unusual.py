#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sends one TCP packet with 100 bytes in an unusual IP packet, as if a connection of this host had.

    unusual.py KIND SOURCE PORT DESTINATION PORT SEQUENCE ACKNOWLEDGEMENT

KIND is one of: options, an IPv4 packet with options or an IPv6 packet with extension headers;
tiny, two fragments, the first of them with ports and sequence number alone; atomic, an IPv6
packet with a fragment header that is the only one.
"""
import socket
import struct
import sys

from raw import ACK, TCP, segment

BYTES = b"x" * 100
ROUTER_ALERT = b"\x94\x04\0\0"
DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING = 60, 44, 0, 43


def ipv4(source, destination, payload, options=b"", fragment=0):
    size = 20 + len(options)
    return struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, size + len(payload), 77, fragment, 64, TCP,
                       0) + source + destination + options + payload


def ipv6(source, destination, following, payload):
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + source + destination + payload


def extension(following, size, content=b""):
    """An extension header with padding; a routing header without anything left to visit."""
    return struct.pack("!BB", following, size // 8 - 1) + (content or b"\x01" + bytes([size - 4])
                                                          + bytes(size - 4))


def fragment6(following, offset, more):
    return struct.pack("!BBHI", following, 0, offset | more, 77)


def packets4(kind, source, destination, tcp):
    if kind == "options":
        return [ipv4(source, destination, tcp, ROUTER_ALERT)]
    return [ipv4(source, destination, tcp[:8], fragment=0x2000),
            ipv4(source, destination, tcp[8:], fragment=1)]


def packets6(kind, source, destination, tcp):
    if kind == "options":
        headers = (extension(DESTINATION_OPTIONS, 8) + extension(ROUTING, 8)
                   + extension(TCP, 24, bytes(22)))
        return [ipv6(source, destination, HOP_BY_HOP, headers + tcp)]
    if kind == "atomic":
        return [ipv6(source, destination, FRAGMENT, fragment6(TCP, 0, 0) + tcp)]
    return [ipv6(source, destination, FRAGMENT, fragment6(TCP, 0, 1) + tcp[:24]),
            ipv6(source, destination, FRAGMENT, fragment6(TCP, 24, 0) + tcp[24:])]


def main():
    kind, source, sport, destination, dport, seq, ack = sys.argv[1:]
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    ends = socket.inet_pton(family, source), socket.inet_pton(family, destination)
    tcp = segment(ends, (int(sport), int(dport)), int(seq), int(ack), ACK, 500, BYTES)
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for packet in (packets6 if family == socket.AF_INET6 else packets4)(kind, *ends, tcp):
        raw.sendto(packet, (destination, 0))


main()
