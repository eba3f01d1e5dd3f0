#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Writes and refreshes through the API of a daemon, one after the other.

    writes.py stream SOCKET SERVICE FIRST --kill PID --writes N --after SECONDS
    writes.py swap|refresh SOCKET SERVICE COUNT

stream names farm 1 with ascending numbers from FIRST on, and refreshes after every third. It kills
the daemon PID itself, some time after N writes. It says what it asks for before it does, and what
was acknowledged: "try|ack staged|running NUMBER".

swap sends everybody to the other farm of two, COUNT times: 1 and 2 are those of the default farm,
3 and 4 those of route 1. refresh only refreshes. Both end with a failure
when a request does.
"""
import argparse
import http.client
import json
import os
import signal
import socket
import sys
import threading


class Api(http.client.HTTPConnection):
    def __init__(self, path, service):
        super().__init__("alpnlb", timeout=30)
        self.path = path
        self.base = f"/1.0/ipLoadbalancing/{service}/"

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, path, fields=None):
        self.request(method, self.base + path, json.dumps(fields or {}))
        answer = self.getresponse()
        body = json.load(answer)
        if answer.status != 200:
            raise ValueError(f"{method} {path}: {answer.status} {body}")
        return body


def attempt(what, number, call):
    print("try", what, number, flush=True)
    call()
    print("ack", what, number, flush=True)


def refresh(api):
    task = api.call("POST", "refresh")
    if task["status"] != "done":
        raise ValueError(task)


def stream(api, args):
    timer = threading.Timer(args.after, os.kill, (args.kill, signal.SIGKILL))
    number = args.first
    try:
        while True:
            if number == args.first + args.writes:
                timer.start()
            attempt("staged", number,
                    lambda: api.call("PUT", "tcp/farm/1", {"displayName": str(number)}))
            if number % 3 == 0:
                attempt("running", number, lambda: refresh(api))
            number += 1
    except (http.client.HTTPException, OSError) as error:
        print("end", error, flush=True)
    timer.join()


def swap(api, args):
    for number in range(args.count):
        other = number % 2 == 0
        api.call("PUT", "tcp/frontend/1", {"defaultFarmId": 2 if other else 1})
        api.call("PUT", "tcp/route/1", {"action": {"type": "farm", "target": 4 if other else 3}})
        refresh(api)


def refreshes(api, args):
    for _ in range(args.count):
        refresh(api)


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for name, run in (("stream", stream), ("swap", swap), ("refresh", refreshes)):
        command = commands.add_parser(name)
        command.set_defaults(run=run)
        command.add_argument("socket")
        command.add_argument("service")
        command.add_argument("first" if run is stream else "count", type=int)
        if run is stream:
            command.add_argument("--kill", type=int, required=True)
            command.add_argument("--writes", type=int, required=True)
            command.add_argument("--after", type=float, required=True)
    args = parser.parse_args()
    args.run(Api(args.socket, args.service), args)


if __name__ == "__main__":
    sys.exit(main())
