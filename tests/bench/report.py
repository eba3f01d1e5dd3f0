#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""report.py MACHINE RESULTS JSON: a table of the medians of all rounds and the targets that are
met or missed, on standard output, and the same with every single value in the file JSON. Exit 1 if
a measurement failed."""

import json
import statistics
import sys
import time

BASELINE = "direct"
REFERENCES = ["haproxy", BASELINE]
UNCHANGED = "unchanged"
SUBJECTS = ["direct", "packet", "open", "sockmap", "relay", "haproxy", "nginx"]
WHOLE = "whole_"  # what lines begin with in which everybody makes checksums
WHOLE_SUBJECTS = ["direct", "xdp", "tc", "tc+native", "tc+generic", "haproxy", "nginx"]
WHOLE_REFERENCE = "tc"
SPLICED = ["packet", "open", "xdp", "tc", "tc+native", "tc+generic"]
AT_WORK = 0.01  # so much of a CPU the daemon does not take for connections that are spliced
COLUMN = 23
LABEL = 39


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
    ("connect", "connect_median_us", "  until the answer, median, us", 0, False,
     member("median_us")),
    ("connect", "connect_p99_us", "  until the answer, p99, us", 0, False, member("p99_us")),
    ("connect", "connect_balancer_us", "  CPU each, balancer's processes, us", 1, False,
     balancer_only(per_connection("balancer_cpu_us"))),
    ("connect", "connect_processes_us", "  CPU each, with client and server, us", 1, False,
     per_connection("balancer_cpu_us", "ends_cpu_us")),
    ("connect", "connect_machine_us", "  CPU each, whole machine, us", 1, False,
     per_connection("machine_cpu_us")),
    ("connect", "connect_beyond_us", "  CPU each, machine less direct, us", 1, False,
     beyond_direct),
]


METRICS += [("refresh", "refresh_rate", "new connections/s, a refresh each second", 0, True,
             member("per_second"))]
METRICS += [("refresh", f"refresh_{name}_us", f"  until the answer, {label}, us", 0, False,
             member(f"{name}_us"))
            for name, label in [("median", "median"), ("p90", "p90"), ("p99", "p99"),
                                ("p999", "p99.9")]]

METRICS += [("synflood", "synflood_rate", "new connections/s in a SYN flood", 0, True,
             member("per_second")),
            ("synflood", "synflood_median_us", "  until the answer, median, us", 0, False,
             member("median_us")),
            ("synflood", "synflood_p99_us", "  until the answer, p99, us", 0, False,
             member("p99_us")),
            ("synflood", "synflood_syns", "  SYNs of the flood per second", 0, True,
             lambda result, direct: result["flood"]["sent"] / result["flood"]["seconds"])]


def memory_metrics(line):
    return [
        (line, f"{line}_kb", "{connections:,} idle connections, kB each", 2, False,
         memory_beyond_direct),
        (line, f"{line}_user_kb", "  of it in the balancer's processes", 2, False,
         balancer_only(lambda result, direct: result["anonymous_kb"] / result["connections"])),
        (line, f"{line}_rest_mb", "  without a connection, MB", 1, False,
         balancer_only(memory_at_rest)),
    ]


METRICS += memory_metrics("memory") + memory_metrics("memory_few")
METRICS += [(WHOLE + line, WHOLE + name, *rest) for line, name, *rest in METRICS
            if line in ("up", "down", "rr1", "rr32")]

AT_LEAST, AT_MOST = ">=", "<="

# Of which path, the better one if several; metric; reference, None: the value itself; bound.
# UNCHANGED is the same path in the line `connect`, without a refresh.
TARGETS = [
    (["packet"], "up_gbit", "haproxy", AT_LEAST, 2.5),
    (["packet"], "up_gbit", "direct", AT_LEAST, 0.8),
    (["packet"], "down_gbit", "haproxy", AT_LEAST, 2.5),
    (["packet"], "down_gbit", "direct", AT_LEAST, 0.8),
    (["packet"], "rr1_median_us", "direct", AT_MOST, 1.06),
    (["packet"], "rr32_rate", "haproxy", AT_LEAST, 1.8),
    (["packet"], "rr32_rate", "direct", AT_LEAST, 0.93),
    (["packet", "open"], "connect_rate", "haproxy", AT_LEAST, 1),
    (["packet", "open"], "connect_beyond_us", "haproxy", AT_MOST, 0.7),
    (["packet"], "memory_kb", None, AT_MOST, 1),
    (["sockmap", "relay"], "up_gbit", "haproxy", AT_LEAST, 1),
    (["sockmap", "relay"], "down_gbit", "haproxy", AT_LEAST, 1),
    (["sockmap", "relay"], "rr1_rate", "haproxy", AT_LEAST, 1),
    (["sockmap", "relay"], "rr1_median_us", "haproxy", AT_MOST, 1),
    (["sockmap", "relay"], "rr32_rate", "haproxy", AT_LEAST, 1),
    (["sockmap", "relay"], "rr32_median_us", "haproxy", AT_MOST, 1),
    (["sockmap", "relay"], "connect_rate", "haproxy", AT_LEAST, 1),
    (["sockmap", "relay"], "memory_kb", "haproxy", AT_MOST, 1),
    (["sockmap", "relay"], "memory_few_kb", "haproxy", AT_MOST, 1),
] + [
    ([path], f"refresh_{name}_us", UNCHANGED, AT_MOST, 1.1)
    for path in ("packet", "sockmap", "relay") for name in ("median", "p90", "p99", "p999")
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


def spread_of(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios_of(values, reference):
    """Within each round, so that what else the machine does is in both."""
    ratios = [value / reference[number] for number, value in values.items()
              if reference.get(number, 0) > 0]
    return spread_of(ratios) if ratios else None


def summarize(values, references):
    ratios = {name: ratios_of(values, reference) for name, reference in references.items()}
    return {
        **spread_of(values.values()),
        "values": list(values.values()),
        "ratios": {name: ratio for name, ratio in ratios.items() if ratio},
    }


def label_of(label, line, results):
    """With the number of connections that were held, for those lines."""
    for (of, _), runs in results.items():
        if of == line:
            return label.format(connections=next(iter(runs.values())).get("connections", 0))
    return label


def subjects_of(line):
    return WHOLE_SUBJECTS if line.startswith(WHOLE) else SUBJECTS


def references_of(results, line, subject, function, values):
    if line == "refresh":
        return {UNCHANGED: values_of(results, "connect", subject, function)}
    return {name: values[name] for name in [*REFERENCES, WHOLE_REFERENCE] if name in values}


def summaries(results):
    table = {}
    for line, name, label, decimals, more, function in METRICS:
        values = {subject: values_of(results, line, subject, function)
                  for subject in subjects_of(line)}
        row = {subject: summarize(values[subject],
                                  references_of(results, line, subject, function, values))
               for subject in values if values[subject]}
        if row:
            table[name] = {"line": line, "label": label_of(label.strip(), line, results),
                           "more_is_better": more, "subjects": row}
    return table


def judge(target, table):
    """None if it was not measured; "met" is None if it came out as nothing or less, as memory does
    when other programs free theirs meanwhile."""
    paths, metric, reference, relation, bound = target
    subjects = table.get(metric, {}).get("subjects", {})
    measured = {}
    for path in paths:
        summary = subjects.get(path)
        if summary:
            measured[path] = summary["ratios"].get(reference) if reference else summary
    measured = {path: value for path, value in measured.items() if value}
    if not measured:
        return None
    better = max if relation == AT_LEAST else min
    path = better(measured, key=lambda name: measured[name]["median"])
    value = measured[path]["median"]
    met = value >= bound if relation == AT_LEAST else value <= bound
    return {
        "of": " or ".join(paths), "metric": metric, "path": path, "to": reference,
        "relation": relation, "bound": bound,
        **{key: measured[path][key] for key in ("median", "min", "max")},
        "met": met if value > 0 else None,
    }


def judgements(table):
    judged = [judge(target, table) for target in TARGETS]
    return [j for j in judged if j]


def print_row(label, cells):
    print((label.ljust(LABEL) + "".join(cell.rjust(COLUMN) for cell in cells)).rstrip())


def with_ratio(text, summary, reference):
    ratio = summary["ratios"].get(reference)
    return text + (f" {ratio['median']:6.2f}x" if ratio else " " * 8)


def median_cell(summary, decimals):
    if summary is None:
        return "-" + " " * 8
    reference = UNCHANGED if UNCHANGED in summary["ratios"] else "haproxy"
    return with_ratio(f"{summary['median']:,.{decimals}f}", summary, reference)


def spread_cell(summary, decimals):
    if summary is None:
        return ""
    low, high = (f"{summary[key]:.{decimals}f}" for key in ("min", "max"))
    return with_ratio(f"{low}..{high}", summary, BASELINE)


def ratio_cell(summary, reference):
    ratio = summary["ratios"].get(reference) if summary else None
    return "{min:.2f}..{max:.2f} {median:6.2f}x".format(**ratio) if ratio else ""


def print_table(table, subjects):
    metrics = [m for m in METRICS if m[1] in table and subjects_of(m[0]) is subjects]
    if metrics:
        print_row("", [subject + " " * 8 for subject in subjects])
    for line, name, label, decimals, more, _ in metrics:
        indent = " " * (len(label) - len(label.lstrip()))
        row = [table[name]["subjects"].get(subject) for subject in subjects]
        print_row(indent + table[name]["label"],
                  [median_cell(summary, decimals) for summary in row])
        print_row("    " + ("more is better" if more else "less is better"),
                  [spread_cell(summary, decimals) for summary in row])
        if line.startswith(WHOLE):
            print_row(f"    to {WHOLE_REFERENCE}",
                      [ratio_cell(summary, WHOLE_REFERENCE) for summary in row])


def verdict_of(judgement):
    return {True: "met", False: "MISSED", None: "noise"}[judgement["met"]]


def print_judgements(judged, table):
    if not judged:
        return
    print("\nTargets: ratios within a round, their median and min..max; of sockmap and relay the "
          "better one")
    for j in judged:
        label = f"{table[j['metric']]['line']}: {table[j['metric']]['label']}"
        label += f", to {j['to']}" if j["to"] else ""
        unit = "x" if j["to"] else ""
        print(f"  {verdict_of(j):6}  {j['path']:8}{label:58}{j['median']:7.2f}{unit:1} "
              f"{j['relation']} {j['bound']:.2f}{unit:1}  ({j['min']:.2f}..{j['max']:.2f})")


def print_head(machine, busy):
    print(f"{machine['rounds']} rounds of {machine['seconds']} s, {machine['memory_rounds']} for "
          f"memory; {machine['cpus']} CPUs ({machine['cpu']}), {machine['memory_mb']} MB, Linux "
          f"{machine['kernel']}, {machine['congestion']}; connect: {machine['parallel']} at once")
    for version in machine["versions"].values():
        print(version)
    if machine["few_connections"] < machine["connections"]:
        print(f"Idle: sockmap and relay need 2 of one process's {machine['descriptors']} "
              f"descriptors for each connection; HAProxy and nginx are several processes.")
    if busy:
        print(f"Before the rounds the machine was {min(busy)} to {max(busy)} % busy with other "
              "things.")
    print("Medians, below them min..max; NNx is the ratio to haproxy, below it to direct, within a "
          "round, median of the rounds; with a refresh each second it is that to without.\n")


def failure(record):
    result = record["result"]
    if "failed" in result:
        return result["failed"]
    if result.get("errors"):
        return f"{result['errors']} connections failed"
    line = record["line"].removeprefix(WHOLE)
    if (record["subject"] in SPLICED and line in ("up", "down", "rr1", "rr32")
            and result["balancer_cpu_us"] > AT_WORK * 1e6 * result["seconds"]):
        return "connections were not spliced"
    return None


def failures(records):
    lines = []
    for record in records:
        what = failure(record)
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
    judged = judgements(table)
    failed = failures(records)
    print_head(machine, busy)
    print_table(table, SUBJECTS)
    print_table(table, WHOLE_SUBJECTS)
    print_judgements(judged, table)
    for line in failed:
        print(f"FAILED: {line}")
    with open(json_file, "w", encoding="utf-8") as file:
        json.dump({"time": int(time.time()), "machine": machine, "busy_percent_before": busy,
                   "metrics": table, "targets": judged, "failed": failed, "runs": records},
                  file, indent=1)
        file.write("\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
