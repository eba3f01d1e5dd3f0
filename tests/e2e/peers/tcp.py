#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Peers that do to TCP what well-behaved programs do not.

    tcp.py serve KIND --listen ADDRESS... --port PORT [options]
    tcp.py client ADDRESS PORT [options]
    tcp.py hello [--sni NAME] [--alpn NAME...] [--tls VERSION] [--ech] [--pad N] [--grease]
                 [--records N] > FILE

Both ends print one JSON object per connection: bytes and SHA-256 of what was sent and
received, and how it ended (eof, reset, refused, timeout). What one end sent has to be what
the other received.
"""
import argparse
import fcntl
import hashlib
import itertools
import json
import os
import random
import signal
import socket
import ssl
import struct
import sys
import termios
import threading
import time

CHUNK = 1 << 18
PATTERN_LENGTH = 1000003  # prime: a piece that is lost, doubled or moved changes the hash
PADDING = 21  # RFC 7685
SUPPORTED_VERSIONS = 43
# RFC 9849 section 5: outer, HKDF-SHA256 with AES-128-GCM, a config_id, X25519, a payload.
ECH = (0xfe0d, bytes.fromhex("00" "0001" "0001" "07" "0020") + bytes(32) + b"\0\x90" + bytes(144))
VERSIONS = ["1.0", "1.1", "1.2", "1.3"]
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST


class Flow:
    """Bytes that went one way."""

    def __init__(self):
        self.bytes = 0
        self.hash = hashlib.sha256()

    def add(self, data):
        self.bytes += len(data)
        self.hash.update(data)


class Connection:
    count = itertools.count(1)

    def __init__(self, sock):
        self.number = next(Connection.count)
        self.sock = sock
        self.sent = Flow()
        self.received = Flow()
        self.end = "eof"
        self.started = time.monotonic()
        self.first = b""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.sock.sendall(data)
        self.sent.add(data)

    def send_in_pieces(self, data, size, pause=0):
        """Each piece is a TCP segment of its own: wait until the last one is acknowledged."""
        for at in range(0, len(data), size):
            if pause and at:
                time.sleep(pause)
            self.send(data[at:at + size])
            while outstanding(self.sock):
                time.sleep(0)

    def send_pattern(self, count, seed, pieces=False):
        block = random.Random(seed).randbytes(PATTERN_LENGTH)
        block += block[:CHUNK]
        chooser = random.Random(seed)
        at = 0
        while at < count:
            size = chooser.randint(1, 5000) if pieces else CHUNK
            size = min(size, count - at)
            start = at % PATTERN_LENGTH
            self.send(memoryview(block)[start:start + size])
            at += size

    def send_tiny(self, until):
        """Packets of one byte, few enough in flight not to be merged, until the file exists."""
        number = 0
        while not os.path.exists(until):
            if outstanding(self.sock) < 8:
                self.send(bytes([number % 251]))
                number += 1
            else:
                time.sleep(0)

    def receive(self, limit=None):
        """Reads to the end, or `limit` bytes; returns whether the end was reached."""
        while limit is None or self.received.bytes < limit:
            size = CHUNK if limit is None else min(CHUNK, limit - self.received.bytes)
            data = self.sock.recv(size)
            if not data:
                return True
            self.received.add(data)
            self.first = (self.first + data[:80])[:80]
        return False

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()

    def line(self):
        """What was received first, when it is a line of text."""
        line = self.first.split(b"\n")[0].decode("latin-1").rstrip("\r")
        return line if line.isprintable() and line.isascii() else ""

    def report(self, **more):
        line = {
            "end": self.end,
            "sent": self.sent.bytes, "sent_sha256": self.sent.hash.hexdigest(),
            "received": self.received.bytes, "received_sha256": self.received.hash.hexdigest(),
            "seconds": round(time.monotonic() - self.started, 3),
            "line": self.line(), "first": self.first.hex(),
        }
        line.update(more)
        os.write(1, (json.dumps(line) + "\n").encode())  # one write: threads do not mix lines

    def run(self, action):
        try:
            action(self)
        except (ConnectionResetError, BrokenPipeError):
            self.end = "reset"
        except (TimeoutError, socket.timeout):
            self.end = "timeout"
        except OSError as error:
            self.end = error.strerror


def outstanding(sock):
    """Bytes sent and not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


def await_file(path, connection=None):
    """Returns whether it came to be before the connection failed."""
    while not os.path.exists(path):
        if connection and connection.end != "eof":
            return False
        time.sleep(0.02)
    return True


def openssl_hello(sni, alpn):
    """A hello as OpenSSL makes it: one record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    outgoing = ssl.MemoryBIO()
    session = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=sni or None)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def extensions_at(message):
    """Where the extensions' length field is in a handshake message. RFC 8446 section 4.1.2."""
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at:at + 2], "big")
    return at + 1 + message[at]


def own_extensions(data, without):
    """(type, bytes) of each, but for the types in `without`."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("!HH", data, at)
        if kind not in without:
            yield kind, data[at + 4:at + 4 + length]
        at += 4 + length


def with_extensions(message, before, after, without):
    """The hello with more extensions, given as (type, bytes), around its own."""
    at = extensions_at(message)
    everything = [*before, *own_extensions(message[at + 2:], without), *after]
    body = b"".join(struct.pack("!HH", kind, len(data)) + data for kind, data in everything)
    message = message[4:at] + struct.pack("!H", len(body)) + body
    return b"\x01" + len(message).to_bytes(3, "big") + message


def client_hello(options):
    message = openssl_hello(options.sni, options.alpn)[5:]
    before, after, without = [], [], [PADDING]  # no type may be there twice
    if options.tls and options.tls != "1.3":
        without.append(SUPPORTED_VERSIONS)
        message = message[:5] + bytes([1 + VERSIONS.index(options.tls)]) + message[6:]
    if options.ech:
        before.append(ECH)
    if options.pad:
        before.append((PADDING, bytes(options.pad)))
    if options.grease:  # RFC 8701
        before.insert(0, (0x1a1a, b""))
        after.append((0xfafa, b"\0"))
    if before or after or options.tls:
        message = with_extensions(message, before, after, without)
    size = options.records or 16384
    return b"".join(
        b"\x16\x03\x01" + struct.pack("!H", len(message[at:at + size])) + message[at:at + size]
        for at in range(0, len(message), size))


# ---- servers ----------------------------------------------------------------------------


def serve_name(connection, options):
    """Answers the first bytes with its name."""
    connection.receive(1)
    connection.send(options.name.encode() + b"\n")
    connection.sock.shutdown(socket.SHUT_WR)
    connection.receive()


def serve_banner(connection, options):
    """Speaks first, then echoes."""
    connection.send(options.name.encode() + b"\n")
    serve_echo(connection, options)


def serve_echo(connection, options):
    while True:
        data = connection.sock.recv(CHUNK)
        if not data:
            break
        connection.received.add(data)
        connection.send(data)
    connection.sock.shutdown(socket.SHUT_WR)


AT_ONCE = {"now": 0, "most": 0, "lock": threading.Lock()}


def serve_most(connection, options):
    """Answers the end with how many connections it had at once, at most."""
    with AT_ONCE["lock"]:
        AT_ONCE["now"] += 1
        AT_ONCE["most"] = max(AT_ONCE["most"], AT_ONCE["now"])
    try:
        connection.receive()
    finally:
        with AT_ONCE["lock"]:
            AT_ONCE["now"] -= 1
    connection.send(b"%d\n" % AT_ONCE["most"])
    connection.sock.shutdown(socket.SHUT_WR)


def serve_exchange(connection, options):
    """Sends --bytes and reads to the end, at the same time; then closes."""
    reader = threading.Thread(target=connection.run, args=(lambda c: read_all(c, options),))
    reader.start()
    if options.random:
        chooser = random.Random("%s%d" % (options.seed, connection.number))
        connection.send_pattern(chooser.randint(0, options.bytes), str(connection.number),
                                chooser.random() < 0.5)
    else:
        send_all(connection, options)
    if options.half_close:
        connection.sock.shutdown(socket.SHUT_WR)
    reader.join()


def serve_reset(connection, options):
    """Resets the connection after its first bytes."""
    connection.receive(1)
    connection.reset()


def serve_close(connection, options):
    """Closes right after accepting, without reading."""


SERVERS = {
    "name": serve_name, "most": serve_most, "banner": serve_banner, "echo": serve_echo, "exchange": serve_exchange,
    "reset": serve_reset, "close": serve_close,
}


def handle(sock, peer, options):
    connection = Connection(sock)
    sock.settimeout(options.timeout)
    connection.run(lambda c: SERVERS[options.kind](c, options))
    sock.close()
    connection.report(server=options.name, peer="%s %d" % peer[:2])


def accept_all(listener, options):
    while True:
        sock, peer = listener.accept()
        threading.Thread(target=handle, args=(sock, peer, options), daemon=True).start()


def serve(options):
    for address in options.listen:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.buffer)
        listener.bind((address, options.port))
        listener.listen(1024)
        threading.Thread(target=accept_all, args=(listener, options), daemon=True).start()
    signal.pause()


# ---- the client -------------------------------------------------------------------------


def first_bytes(options):
    if options.hello:
        with open(options.hello, "rb") as file:
            return file.read()
    if options.text is not None:
        return options.text.encode().decode("unicode_escape").encode("latin-1")
    if options.sni or options.alpn or options.tls or options.ech:
        return client_hello(options)
    return b""


def talk(connection, options):
    first = first_bytes(options)
    if options.rest_when:
        connection.send(first[:options.cut])
        await_file(options.rest_when)
        connection.send(first[options.cut:])
    elif options.cut:
        connection.send_in_pieces(first, options.cut, options.pause)
    elif first:
        connection.send(first)
    reader = threading.Thread(target=read_all, args=(connection, options))
    if not options.reset:  # a socket in recv() is not closed by close()
        reader.start()
    send_all(connection, options)
    if options.until_sent and not await_file(options.until_sent, connection):
        return
    connection.send_pattern(options.then, options.seed + "then", options.pieces)
    if options.reset:
        connection.reset()
        connection.end = "own reset"
        return
    if options.half_close:
        connection.sock.shutdown(socket.SHUT_WR)
    reader.join()


def send_all(connection, options):
    connection.send_pattern(options.bytes, options.seed, options.pieces)
    if options.tiny:
        connection.send_tiny(options.until)


def read_all(connection, options):
    try:
        if options.until:
            connection.receive(options.first)
            await_file(options.until)
        connection.receive(options.expect)
    except (ConnectionResetError, BrokenPipeError):
        connection.end = "reset"
    except (TimeoutError, socket.timeout):
        connection.end = "timeout"
    except OSError:
        connection.end = "closed"


def client(options):
    """--repeat connections, or until a file exists, --parallel of them at a time; or one for --each
    value of an option."""
    if options.each:
        name, *values = options.each
        for value in values:
            connect(argparse.Namespace(**dict(vars(options), **{name: int(value)})))
        return
    if options.repeat == 1 and not options.repeat_until:
        connect(options)
        return
    numbers = iter(range(options.repeat))
    if options.repeat_until:
        numbers = itertools.takewhile(lambda _: not os.path.exists(options.repeat_until),
                                      itertools.count())
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            connect(varied(options, number) if options.random else options)

    threads = [threading.Thread(target=work) for _ in range(options.parallel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def varied(options, number):
    """The options of connection `number`, always the same for the same seed."""
    chooser = random.Random("%s client %d" % (options.seed, number))
    return argparse.Namespace(**dict(
        vars(options), bytes=chooser.randint(0, options.bytes), pieces=chooser.random() < 0.5,
        cut=chooser.choice([0, 0, 1, 7, 200]), records=chooser.choice([None, 1, 100, 400]),
        seed="%s%d" % (options.seed, number)))


def connect(options):
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    if options.buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.buffer)
    if options.source:
        sock.bind((options.source, 0))
    sock.settimeout(options.timeout)
    connection = Connection(sock)
    if options.handshake:  # its last ACK waits for data, up to 0.2 s
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    try:
        sock.connect((options.address, options.port))
        time.sleep(options.handshake)
    except ConnectionRefusedError:
        connection.end = "refused"
    except ConnectionResetError:
        connection.end = "reset"
    except (TimeoutError, socket.timeout):
        connection.end = "timeout"
    else:
        connection.run(lambda c: talk(c, options))
    sock.close()
    connection.report()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--bytes", type=int, default=0, help="pattern to send")
    common.add_argument("--seed", default="alpnlb")
    common.add_argument("--random", action="store_true",
                        help="vary sizes up to --bytes, pieces and cuts by connection")
    common.add_argument("--pieces", action="store_true", help="send it in pieces of random size")
    common.add_argument("--tiny", action="store_true",
                        help="then packets of one byte, until the file --until exists")
    common.add_argument("--expect", type=int, help="stop reading after so many bytes")
    common.add_argument("--half-close", action="store_true", help="shut down when all is sent")
    common.add_argument("--buffer", type=int, default=0, help="SO_RCVBUF")
    common.add_argument("--until", help="do not read before this file exists")
    common.add_argument("--first", type=int, default=0, help="but for so many bytes")
    common.add_argument("--timeout", type=float, default=60)
    one = commands.add_parser("serve", parents=[common])
    one.add_argument("kind", choices=sorted(SERVERS))
    one.add_argument("--name", default="server")
    one.add_argument("--listen", nargs="+", required=True)
    one.add_argument("--port", type=int, required=True)
    one.set_defaults(function=serve)
    hello = argparse.ArgumentParser(add_help=False)
    hello.add_argument("--sni")
    hello.add_argument("--alpn", nargs="*")
    hello.add_argument("--tls", choices=VERSIONS, help="highest version offered")
    hello.add_argument("--ech", action="store_true", help="with an encrypted_client_hello")
    hello.add_argument("--pad", type=int, default=0, help="bytes of padding before the rest")
    hello.add_argument("--grease", action="store_true", help="unknown extensions at both ends")
    hello.add_argument("--records", type=int, help="bytes of the hello in each TLS record")
    one = commands.add_parser("client", parents=[common, hello])
    one.add_argument("address")
    one.add_argument("port", type=int)
    one.add_argument("--source")
    one.add_argument("--hello", help="file with the first bytes")
    one.add_argument("--text", help="first bytes, with escapes like \\r\\n")
    one.add_argument("--handshake", type=float, default=0, help="seconds that it takes, below 0.2")
    one.add_argument("--cut", type=int, default=0, help="first bytes in segments of this size")
    one.add_argument("--rest-when", help="all but --cut first bytes when this file exists")
    one.add_argument("--pause", type=float, default=0, help="seconds between these")
    one.add_argument("--until-sent", help="send no FIN or RST before this file exists")
    one.add_argument("--then", type=int, default=0, help="pattern to send when it exists")
    one.add_argument("--repeat", type=int, default=1, help="connections in all")
    one.add_argument("--repeat-until", help="connections until this file exists")
    one.add_argument("--each", nargs="+", metavar=("OPTION", "NUMBER"),
                     help="a connection for each number, as if the option had it")
    one.add_argument("--parallel", type=int, default=1, help="connections at a time")
    one.add_argument("--reset", action="store_true", help="end with RST")
    one.set_defaults(function=client)
    one = commands.add_parser("hello", parents=[hello])
    one.set_defaults(function=lambda o: sys.stdout.buffer.write(client_hello(o)))
    return parser.parse_args()


if __name__ == "__main__":
    OPTIONS = arguments()
    OPTIONS.function(OPTIONS)
