#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""report.py MACHINE RESULTS JSON: a table of the medians of all rounds, on standard output, and
the same with every single value in the file JSON. Exit 1 if a measurement failed."""

import json
import statistics
import sys
import time

REFERENCE = "haproxy"
BASELINE = "direct"
SUBJECTS = ["direct", "packet", "sockmap", "relay", "haproxy", "nginx"]
COLUMN = 17
LABEL = 37


def per_connection(*members):
    return lambda result, direct: sum(result[m] for m in members) / result["total"]


def beyond_direct(result, direct):
    """CPU time of the machine for a connection, without what both ends cost."""
    if direct is None or direct is result:
        return None
    return result["machine_cpu_us"] / result["total"] - direct["machine_cpu_us"] / direct["total"]


def memory_beyond_direct(result, direct):
    """The kernel's own and the processes'. All used memory ("used_kb") should show the same, but
    shows what other processes do as well."""
    if direct is None or direct is result:
        return None
    kernel = result["kernel_kb"] - direct["kernel_kb"]
    return (kernel + result["anonymous_kb"]) / result["connections"]


def memory_at_rest(result, direct):
    return (result["rest_kernel_kb"] + result["rest_anonymous_kb"]) / 1024


def balancer_only(function):
    return lambda result, direct: None if direct is result else function(result, direct)


def member(name):
    return lambda result, direct: result[name]


# line, name, label, decimals, is more better, value of a result given direct's of the same round
METRICS = [
    ("up", "up_gbit", "one stream up, Gbit/s", 1, True, member("gbit_per_second")),
    ("down", "down_gbit", "one stream down, Gbit/s", 1, True, member("gbit_per_second")),
    ("rr1", "rr1_rate", "1 connection, requests per second", 0, True, member("per_second")),
    ("rr1", "rr1_median_us", "  latency, median, us", 1, False, member("median_us")),
    ("rr1", "rr1_p99_us", "  latency, p99, us", 1, False, member("p99_us")),
    ("rr32", "rr32_rate", "32 connections, requests per second", 0, True, member("per_second")),
    ("rr32", "rr32_median_us", "  latency, median, us", 1, False, member("median_us")),
    ("rr32", "rr32_p99_us", "  latency, p99, us", 1, False, member("p99_us")),
    ("connect", "connect_rate", "new connections per second", 0, True, member("per_second")),
    ("connect", "connect_median_us", "  until the answer, median, us", 0, False, member("median_us")),
    ("connect", "connect_p99_us", "  until the answer, p99, us", 0, False, member("p99_us")),
    ("connect", "connect_balancer_us", "  CPU each, balancer's processes, us", 1, False,
     balancer_only(per_connection("balancer_cpu_us"))),
    ("connect", "connect_processes_us", "  CPU each, with client and server, us", 1, False,
     per_connection("balancer_cpu_us", "ends_cpu_us")),
    ("connect", "connect_machine_us", "  CPU each, whole machine, us", 1, False,
     per_connection("machine_cpu_us")),
    ("connect", "connect_beyond_us", "  CPU each, machine less direct, us", 1, False,
     beyond_direct),
    ("memory", "memory_kb", "idle connection, kB (kernel and user)", 2, False,
     memory_beyond_direct),
    ("memory", "memory_user_kb", "  of it in the balancer's processes", 2, False,
     balancer_only(lambda result, direct: result["anonymous_kb"] / result["connections"])),
    ("memory", "memory_rest_mb", "no connection, MB (kernel and user)", 1, False,
     balancer_only(memory_at_rest)),
]


def by_key(records):
    """(line, subject) -> {round: result}, of what succeeded."""
    results = {}
    for record in records:
        if "failed" not in record["result"]:
            runs = results.setdefault((record["line"], record["subject"]), {})
            runs[record["round"]] = record["result"]
    return results


def values_of(results, line, subject, function):
    """{round: value}"""
    direct = results.get((line, BASELINE), {})
    values = {}
    for number, result in results.get((line, subject), {}).items():
        value = function(result, direct.get(number))
        if value is not None:
            values[number] = value
    return values


def summarize(values, reference):
    """The ratio is the median of the ratios within each round."""
    ratios = [value / reference[number] for number, value in values.items()
              if reference.get(number, 0) > 0]
    return {
        "median": statistics.median(values.values()),
        "min": min(values.values()),
        "max": max(values.values()),
        "values": list(values.values()),
        "ratio": statistics.median(ratios) if ratios else None,
    }


def summaries(results):
    table = {}
    for line, name, label, decimals, more, function in METRICS:
        reference = values_of(results, line, REFERENCE, function)
        row = {}
        for subject in SUBJECTS:
            values = values_of(results, line, subject, function)
            if values:
                row[subject] = summarize(values, reference)
        if row:
            table[name] = {"label": label.strip(), "more_is_better": more, "subjects": row}
    return table


def print_row(label, cells):
    print(label.ljust(LABEL) + "".join(cell.rjust(COLUMN) for cell in cells))


def cell(summary, decimals):
    if summary is None:
        return "-"
    text = f"{summary['median']:.{decimals}f}"
    return text + (f" {summary['ratio']:5.2f}x" if summary["ratio"] is not None else " " * 7)


def spread(summary, decimals):
    if summary is None:
        return ""
    return f"{summary['min']:.{decimals}f}..{summary['max']:.{decimals}f}" + " " * 7


def print_table(table):
    print_row("", [subject + " " * 7 for subject in SUBJECTS])
    for _, name, label, decimals, more, _ in METRICS:
        if name not in table:
            continue
        row = [table[name]["subjects"].get(subject) for subject in SUBJECTS]
        print_row(label, [cell(summary, decimals) for summary in row])
        print_row("    " + ("more is better" if more else "less is better"),
                  [spread(summary, decimals) for summary in row])


def print_head(machine, busy):
    print(f"{machine['rounds']} rounds of {machine['seconds']} s, {machine['cpus']} CPUs, Linux "
          f"{machine['kernel']}, {machine['congestion']}; connect: {machine['parallel']} at once; "
          f"idle: {machine['connections']} held")
    for version in machine["versions"].values():
        print(version)
    if busy:
        print(f"Before the rounds the machine was {min(busy)} to {max(busy)} % busy with other "
              "things.")
    print(f"Medians, below them min..max; NNx is the ratio to {REFERENCE} within a round, median "
          "of the rounds.\n")


def failures(records):
    lines = []
    for record in records:
        what = record["result"].get("failed")
        if what is None and record["result"].get("errors"):
            what = f"{record['result']['errors']} connections failed"
        if what is not None:
            lines.append(f"round {record['round']}, {record['line']}, {record['subject']}: {what}")
    return lines


def main():
    machine_file, results_file, json_file = sys.argv[1:]
    with open(machine_file, encoding="utf-8") as file:
        machine = json.load(file)
    with open(results_file, encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    busy = [r["result"]["busy_percent"] for r in records if r["line"] == "others"]
    records = [r for r in records if r["line"] != "others"]
    table = summaries(by_key(records))
    failed = failures(records)
    print_head(machine, busy)
    print_table(table)
    for line in failed:
        print(f"FAILED: {line}")
    with open(json_file, "w", encoding="utf-8") as file:
        json.dump({"time": int(time.time()), "machine": machine, "busy_percent_before": busy,
                   "metrics": table, "failed": failed, "runs": records}, file, indent=1)
        file.write("\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
