#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sends a TCP packet without payload over IPv4, so many times, as if a connection of this host had.

    spoof.py SOURCE PORT DESTINATION PORT FLAGS SEQUENCE ACKNOWLEDGEMENT TIMES

FLAGS are letters of FSRA.
"""
import socket
import sys

from raw import ACK, FIN, RST, SYN, segment

BITS = {"F": FIN, "S": SYN, "R": RST, "A": ACK}


def main():
    source, sport, destination, dport, letters, seq, ack, times = sys.argv[1:]
    ends = socket.inet_aton(source), socket.inet_aton(destination)
    flags = sum(BITS[letter] for letter in letters)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
    raw.bind((source, 0))
    packet = segment(ends, (int(sport), int(dport)), int(seq), int(ack), flags, 1000)
    for _ in range(int(times)):
        raw.sendto(packet, (destination, 0))


main()
