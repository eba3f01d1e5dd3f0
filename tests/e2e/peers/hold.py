#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""hold.py CA HOST PORT slow|many: connections to the API that take what they can get.

slow: each of them does nothing, or a part of something, or something very slowly, until it is
closed; prints a line for each, "NAME SECONDS". many: 400 at once, while a good client is served;
prints what that one is answered, and waits for the end of standard input.
"""

import os
import socket
import ssl
import sys
import threading
import time

CA, HOST, PORT, WHAT = sys.argv[1:]
TIME = b"GET /1.0/auth/time HTTP/1.1\r\nHost: a\r\n\r\n"
KEYS = b"X-Ovh-Application: a\r\nX-Ovh-Consumer: a\r\nX-Ovh-Signature: a\r\nX-Ovh-Timestamp: %d\r\n"
BODY = b"POST /1.0/a HTTP/1.1\r\n" + KEYS % time.time() + b"Content-Length: 99\r\n\r\n{"

context = ssl.create_default_context(cafile=CA)
context.check_hostname = False


def clear():
    return socket.create_connection((HOST, int(PORT)), timeout=60)


def encrypted():
    return context.wrap_socket(clear())


def until_closed(name, connection, first, drip):
    begin = time.monotonic()
    try:
        connection.sendall(first)
        while drip:
            connection.settimeout(0.5)
            try:
                if not connection.recv(4096):
                    break
            except TimeoutError:
                connection.settimeout(60)
                connection.sendall(drip)
        while not drip and connection.recv(4096):
            pass
    except OSError:
        pass
    line = f"{name} {round(time.monotonic() - begin)}\n"
    os.write(1, line.encode())  # one write: threads do not mix lines


def slow():
    clients = [
        ("silent", clear(), b"", b""),
        ("half-handshake", clear(), b"\x16\x03\x01\x02\x00\x01", b""),
        ("idle", encrypted(), b"", b""),
        ("half-request", encrypted(), b"GET /1.0/au", b""),
        ("half-body", encrypted(), BODY, b""),
        ("drip", encrypted(), b"GET / HTTP/1.1\r\nA: ", b"x"),
        ("after", encrypted(), TIME, b""),
    ]
    threads = [threading.Thread(target=until_closed, args=client) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def many():
    held = [clear() for _ in range(400)]
    good = encrypted()
    good.sendall(TIME)
    print(good.recv(4096).split(b"\r\n")[0].decode(), len(held), flush=True)
    sys.stdin.read()


slow() if WHAT == "slow" else many()
