#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A server behind a PROXY header (haproxy.org, proxy-protocol.txt), and one that speaks as a proxy.

    proxy.py serve PORT ADDRESS...      prints what each header says and echoes what follows it
    proxy.py header v1|v2 SOURCE SPORT DESTINATION DPORT [--local] [--unknown] [--pad N]
"""
import hashlib
import ipaddress
import json
import os
import signal
import socket
import struct
import sys
import threading

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
NAMES = {1: "alpn", 2: "authority", 3: "crc32c", 5: "unique_id", 0x20: "ssl"}


def crc32c(data):
    """By a table, RFC 4960 appendix B."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283


def exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more, "the header is cut: %r" % data
        data += more
    return data


def read_v1(sock, line):
    while not line.endswith(b"\r\n"):
        line += exactly(sock, 1)
        assert len(line) <= 107, line
    word, family, source, destination, sport, dport = line[:-2].decode("ascii").split(" ")
    assert word == "PROXY" and family in ("TCP4", "TCP6")
    assert ipaddress.ip_address(source).version == int(family[-1]) == ipaddress.ip_address(destination).version
    return {"version": 1, "source": "%s %d" % (source, int(sport)),
            "destination": "%s %d" % (destination, int(dport)), "size": len(line)}


def read_tlvs(data, header):
    """Each at most once; the sum is right."""
    tlvs, at = {}, 0
    while at < len(data):
        kind, length = struct.unpack_from("!BH", data, at)
        value = data[at + 3:at + 3 + length]
        assert len(value) == length, "a TLV is cut"
        assert NAMES[kind] not in tlvs
        tlvs[NAMES[kind]] = value
        if kind == 3:
            place = len(header) - len(data) + at + 3
            assert int.from_bytes(value, "big") == crc32c(header[:place] + bytes(4) + header[place + 4:])
        at += 3 + length
    return {name: value.hex() if name in ("ssl", "alpn") else value.decode("latin-1") for name, value in tlvs.items()
            if name != "crc32c"} | ({"crc32c": True} if "crc32c" in tlvs else {})


def read_v2(sock, head):
    head += exactly(sock, 16 - len(head))
    command, family, length = struct.unpack_from("!BBH", head, 12)
    assert head[:12] == SIGNATURE and command == 0x21 and family in (0x11, 0x21)
    size = 4 if family == 0x11 else 16
    body = exactly(sock, length)
    sport, dport = struct.unpack_from("!HH", body, 2 * size)
    return {"version": 2, "source": "%s %d" % (ipaddress.ip_address(body[:size]), sport),
            "destination": "%s %d" % (ipaddress.ip_address(body[size:2 * size]), dport),
            "tlvs": read_tlvs(body[2 * size + 4:], head + body), "size": 16 + length}


def handle(sock):
    sock.settimeout(20)
    first = exactly(sock, 6)
    report = read_v1(sock, first) if first == b"PROXY " else read_v2(sock, first)
    received, count = hashlib.sha256(), 0
    while True:
        data = sock.recv(1 << 18)
        if not data:
            break
        received.update(data)
        count += len(data)
        sock.sendall(data)
    sock.close()
    report |= {"received": count, "received_sha256": received.hexdigest()}
    os.write(1, (json.dumps(report) + "\n").encode())


def accept_all(listener):
    while True:
        threading.Thread(target=handle, args=(listener.accept()[0],), daemon=True).start()


def serve(port, addresses):
    for address in addresses:
        listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        threading.Thread(target=accept_all, args=(listener,), daemon=True).start()
    signal.pause()


def header(version, source, sport, destination, dport, *options):
    one, other = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    v4 = one.version == 4
    if version == "v1":
        if "--unknown" in options:
            return b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"
        return b"PROXY TCP%d %s %s %s %s\r\n" % (one.version, source.encode(), destination.encode(),
                                                 sport.encode(), dport.encode())
    pad = int(options[options.index("--pad") + 1]) if "--pad" in options else None
    body = one.packed + other.packed + struct.pack("!HH", int(sport), int(dport))
    body += struct.pack("!BH", 4, pad) + bytes(pad) if pad is not None else b""
    return SIGNATURE + struct.pack("!BBH", 0x20 if "--local" in options else 0x21, 0x11 if v4 else 0x21,
                                   len(body)) + body


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3:])
    sys.stdout.buffer.write(header(*sys.argv[2:]))
