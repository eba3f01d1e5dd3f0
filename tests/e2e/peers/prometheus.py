#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A strict reader of the text format of Prometheus (0.0.4). Prints the samples."""
import re
import sys

LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{%s(?:,%s)*\})? (-?[0-9]+(?:\.[0-9]+)?)" % (LABEL, LABEL))


def read(text):
    assert text.endswith("\n"), "the last line has no end"
    families, samples, family = {}, {}, None
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("# HELP "):
            family, words = re.fullmatch(r"# HELP (\S+) (\S.*)", line).groups()
            assert family not in families, "%s is there twice" % family
            families[family] = re.fullmatch(r"# TYPE %s (counter|gauge)" % family, next(lines)).group(1)
            assert family.endswith("_total") == (families[family] == "counter"), family
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        assert name == family, "%s stands among %s" % (name, family)
        assert (name, labels) not in samples, "%s is there twice" % line
        assert float(value) >= 0
        samples[name, labels] = value
    return samples


for (NAME, LABELS), VALUE in read(open(sys.argv[1], encoding="utf-8").read()).items():
    print(NAME + (LABELS or ""), VALUE)
