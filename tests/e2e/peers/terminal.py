#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Runs a command on a terminal of a given width and prints what it wrote there.

    terminal.py COLUMNS COMMAND [ARGUMENT...]

Ends with the command's exit status.
"""
import fcntl
import os
import pty
import struct
import sys
import termios


def main():
    pid, terminal = pty.fork()
    if pid == 0:
        size = struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0)
        fcntl.ioctl(1, termios.TIOCSWINSZ, size)
        os.execvp(sys.argv[2], sys.argv[2:])
    written = b""
    try:
        while block := os.read(terminal, 65536):
            written += block
    except OSError:  # the command, the last to have it open, has ended
        pass
    sys.stdout.buffer.write(written.replace(b"\r\n", b"\n"))
    sys.stdout.flush()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


main()
