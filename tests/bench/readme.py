#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""readme.py README [DIRECTORY]: writes the tables of README from the results that `make bench` has
left in DIRECTORY, build if not told. They are between comments that name them; one that was not
measured, or not all of it, stays as it is."""

import json
import os
import re
import sys
import textwrap

BUSY = 20  # percent that others may take of the machine: beyond, figures are preliminary

# column: heading; metric: label and decimals
PATHS = {"direct": "direct", "packet": "packet", "open": "`handshake: packet`",
         "sockmap": "sockmap", "relay": "relay", "haproxy": "HAProxy", "nginx": "nginx"}
MODES = {"direct": "direct", "xdp": "XDP", "tc": "tc", "tc+native": "tc, native door",
         "tc+generic": "tc, generic door", "haproxy": "HAProxy", "nginx": "nginx"}
TRAFFIC = {"up_gbit": ("one stream up, Gbit/s", 1),
           "down_gbit": ("one stream down, Gbit/s", 1),
           "rr1_rate": ("requests per second, 1 connection", 0),
           "rr1_median_us": ("their latency, median, us", 1),
           "rr32_rate": ("requests per second, 32 connections", 0)}
CONNECTIONS = {"connect_rate": ("new connections per second", 0),
               "connect_beyond_us": ("CPU per new connection, machine less direct, us", 1),
               "memory_kb": ("{connections:,} idle connections, kB each", 2),
               "memory_few_kb": ("{few_connections:,} idle connections, kB each", 2),
               "synflood_rate": ("new connections per second in a SYN flood", 0),
               "synflood_p99_us": ("until the answer, p99, us", 0)}
WHOLE = {f"whole_{metric}": row for metric, row in TRAFFIC.items()}
RATIOS = [("xdp", "tc"), ("xdp", "haproxy"), ("xdp", "direct"), ("tc", "haproxy"),
          ("tc", "direct")]
HOOKS = {"tc": "at tc", "xdp": "at XDP", "door": "at XDP, behind the door"}
FLOWS = {("one flow", 1000): "one that came before, of 1,000",
         ("one flow", 1000000): "one that came before, of 1,000,000",
         ("all flows", 1000000): "any of 1,000,000"}
DOORS = {"native": "native door", "generic": "generic door", "nft-ingress": "nft at ingress",
         "nft-input": "nft at input", "nothing": "TCP answers"}


def number(value, decimals):
    return f"{value:,.{decimals}f}"


def spread(summary, decimals):
    values = (number(summary[key], decimals) for key in ("median", "min", "max"))
    return "{} ({} to {})".format(*values)


def table(headings, rows):
    lines = [["", *headings], ["---"] * (len(headings) + 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def conditions(bench):
    machine, busy = bench["machine"], bench["busy_percent_before"]
    text = (f"Medians of {machine['rounds']} rounds of {machine['seconds']} s on {machine['cpus']} "
            f"CPUs ({machine['cpu']}), Linux {machine['kernel'].split('-')[0]}, "
            f"{machine['congestion']}; other things took {min(busy)} to {max(busy)} % of them")
    return textwrap.fill(text + (": preliminary." if max(busy) > BUSY else "."), 105) + "\n"


def bench_table(bench, metrics, columns):
    rows = []
    for metric, (label, decimals) in metrics.items():
        of = bench["metrics"][metric]["subjects"]
        rows.append([label.format(**bench["machine"])] +
                    [number(of[name]["median"], decimals) if name in of else "-"
                     for name in columns])
    return table(columns.values(), rows)


def paths(bench):
    return conditions(bench) + "\n" + bench_table(bench, TRAFFIC | CONNECTIONS, PATHS)


def xdp(bench):
    rows = [[label] + [spread(bench["metrics"][metric]["subjects"][of]["ratios"][to], 2)
                       for of, to in RATIOS] for metric, (label, _) in WHOLE.items()]
    headings = [f"{MODES[of]} to {MODES[to]}" for of, to in RATIOS]
    return "\n".join([conditions(bench), bench_table(bench, WHOLE, MODES), "",
                      table(headings, rows)])


def packets(bench):
    found = {(row["packets_of"], row["flows"], row["hook"]): row for row in bench["packets"]}
    rows = []
    for key, label in FLOWS.items():
        cells = [found.get((*key, hook)) for hook in HOOKS]
        rows.append([label + ", ns"] + [
            spread({name: c[f"{name}_ns"] for name in ("median", "min", "max")}, 0) if c else "-"
            for c in cells])
    return table(HOOKS.values(), rows)


def door(bench):
    found = {row["subject"]: row for row in bench}
    return table(DOORS.values(), [
        ["SYNs per second"] + [spread(found[name]["handled"], 0) for name in DOORS],
        ["CPU for each, us"] + [spread(found[name]["cpu_us"], 1) for name in DOORS]])


BLOCKS = {"paths": ("bench", paths), "xdp": ("bench", xdp), "packets": ("bench-packets", packets),
          "door": ("bench-door", door)}


def replace(text, name, content):
    pattern = rf"(<!-- bench: {name} -->\n).*?(<!-- bench: end -->\n)"
    return re.sub(pattern, lambda match: f"{match[1]}\n{content}\n\n{match[2]}", text, flags=re.S)


def main():
    readme, directory = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "build"
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    for name, (results, make) in BLOCKS.items():
        try:
            with open(os.path.join(directory, results + ".json"), encoding="utf-8") as file:
                text = replace(text, name, make(json.load(file)))
        except (FileNotFoundError, KeyError) as missing:
            print(f"{name}: stays as it is, not measured: {missing}", file=sys.stderr)
    with open(readme, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
