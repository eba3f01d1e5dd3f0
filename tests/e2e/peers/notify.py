#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A service manager's ear: notify.py SOCKET prints what sd_notify(3) sends there, a line each.

A SOCKET that begins with @ is an abstract one.
"""
import socket
import sys

EAR = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
EAR.bind(sys.argv[1].replace("@", "\0", 1) if sys.argv[1][0] == "@" else sys.argv[1])
print("listening", flush=True)
while True:
    print(EAR.recv(4096).decode(), flush=True)
