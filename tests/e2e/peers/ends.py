#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Did connections that ended early have to? Of a run of tests/soak, whose directory it is given:

    journal         "MILLISECONDS EVENT ARGUMENT...", what was done when
    spliced-WHEN    addresses of connections on the packet path when the daemon was killed then
    ends/*.log      lines of JSON: each end that came early, and sums; see crossing.c and transfers

An early end had to be when, in the connection's life,

    server killed   its server was: it has said its name on the connection
    before a word   no server had said a word on it, and one that it might have reached was killed
    daemon killed   the daemon was, and the connection was not on the packet path by then
    no daemon       it came when none was there, and was told nothing; so of several connections that
                    come together, while the last of them may meet the next daemon and get their all

Prints how many ended how, by path, and each end without a reason; 1 if there are any."""

import collections
import glob
import json
import os
import sys

SLACK = 1000  # ms: an event is written down before it happens, and machines are busy
REASONS = "server killed", "before a word", "daemon killed", "no daemon", "NO REASON"
COLUMNS = ("complete", "reset as meant") + REASONS + ("wrong", "stuck")


class Journal:
    def __init__(self, directory):
        self.kills = collections.defaultdict(list)  # of a server, by its name
        self.stops = collections.defaultdict(list)  # of a server, by its name: [from, to]
        self.outages = []  # of the daemon: [from, to, addresses that have to go on]
        with open(os.path.join(directory, "journal")) as lines:
            for line in lines:
                self.take(directory, *line.split())

    def take(self, directory, when, event, *rest):
        if event == "kill":
            # position-coded servers say a number, another one after each start
            self.kills[rest[1] if rest[1] != "0" else rest[0]].append(int(when))
        elif event == "stop":
            self.stops[rest[0]].append([int(when), None])
        elif event == "continue":
            self.stops[rest[0]][-1][1] = int(when)
        elif event == "down":
            with open(os.path.join(directory, "spliced-" + when)) as file:
                addresses = {address for line in file for address in json.loads(line)}
            self.outages.append([int(when), None, addresses])
        elif event == "up":
            self.outages[-1][1] = int(when)

    def killed(self, names, end):
        return any(end["from"] - SLACK <= when <= end["to"] for name in names for when in self.kills[name])

    def reason(self, end, tls):
        server = str(end["server"])
        if end["side"] == "client" and server not in ("", "0"):
            if self.killed([server], end):
                return "server killed"
        elif end["side"] == "client":
            if self.killed([name for name in list(self.kills) if name.startswith("n") == tls], end):
                return "before a word"
        return self.outage(end)

    def accepted_late(self, end, server):
        """A server that was stopped has connections for longer than it knows."""
        for stop, go_on in self.stops[server]:
            if stop <= end["from"] <= go_on + SLACK:
                end["from"] = stop

    @staticmethod
    def some_told_nothing(end):
        each = end.get("each", 0)
        return end["received"] % each == 0 if each else not end["received"]

    def outage(self, end):
        for down, up, spliced in self.outages:
            if down < end["from"] <= up and self.some_told_nothing(end):
                return "no daemon"
            if end["from"] - SLACK <= down <= end["to"] and end["address"] not in spliced:
                return "daemon killed"
        return "NO REASON"


class Ends:
    def __init__(self, journal):
        self.journal = journal
        self.rows = collections.defaultdict(collections.Counter)
        self.wrong = []
        self.bytes = 0

    def take(self, name, record):
        side, path = name.split("-")[:2]
        tls = path == "tls"
        row = self.rows["servers" if side == "server" else
                        ("TLS, " if tls else "") + (record.get("path") or path)]
        if "end" in record:
            if side == "server":  # a source port may be another connection's, too, to another server
                record["address"] = path + " " + record["address"]
                self.journal.accepted_late(record, path)
            reason = self.journal.reason(record, tls)
            row[reason] += 1
            if record["end"] == "reset":
                row["reset as meant"] -= 1  # is in the sums as well
            if reason == "NO REASON":
                self.wrong.append("%s: %s" % (name, json.dumps(record)))
            return
        meant = record.get("own_resets", 0) + record.get("resets", 0)
        row["reset as meant"] += meant
        row["wrong"] += record["bad"] - record["stuck"]
        row["stuck"] += record["stuck"]
        row["ended"] += record["ended"]
        self.bytes += record["bytes"]

    def show(self):
        print("%-14s" % "ends" + "".join("%15s" % column for column in COLUMNS))
        for name, row in sorted(self.rows.items()):
            row["complete"] = row["ended"] - sum(row[column] for column in COLUMNS[1:])
            print("%-14s" % name + "".join("%15d" % row[column] for column in COLUMNS))
        print("%d MB received; %d connections were on the packet path when the daemon was killed" %
              (self.bytes / 1e6, sum(len(spliced) for _, _, spliced in self.journal.outages) // 2))
        for line in self.wrong[:40]:
            print(line)


def main(directory):
    ends = Ends(Journal(directory))
    for path in sorted(glob.glob(os.path.join(directory, "ends", "*.log"))):
        with open(path, errors="replace") as lines:
            for line in lines:
                if line.startswith("{"):
                    ends.take(os.path.basename(path)[:-len(".log")], json.loads(line))
    ends.show()
    return 1 if ends.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
