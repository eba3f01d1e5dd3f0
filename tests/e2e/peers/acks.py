#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who waits for an acknowledgement of the hello? A client with Nagle's algorithm, which most have not.

    acks.py ADDRESS PORT HELLO-FILE

Says, as JSON, the least of ten connections each: "segments" that came until the answer was there to
a hello that was sent at once, and "ms" until the answer to one that was sent in two writes, of which
the second waits for the acknowledgement of the first."""

import json
import socket
import struct
import sys
import time

TRIES = 10
SEGS_IN = 140  # in struct tcp_info, linux/tcp.h


def connect():
    client = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    return client


def answered(client):
    if not client.recv(4096):
        sys.exit("no answer")


def segments(hello):
    with connect() as client:
        client.send(hello)
        answered(client)
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, SEGS_IN + 4)
        return struct.unpack_from("I", info, SEGS_IN)[0]


def ms(hello):
    with connect() as client:
        start = time.monotonic()
        client.send(hello[:100])
        client.send(hello[100:])
        answered(client)
        return (time.monotonic() - start) * 1000


with open(sys.argv[3], "rb") as file:
    HELLO = file.read()
print(json.dumps({f.__name__: min(f(HELLO) for _ in range(TRIES)) for f in (segments, ms)}))
