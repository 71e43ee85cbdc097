#!/usr/bin/env python3
"""tests/cli/qmp.py SOCKET - a QMP client that runs the steps of a script on stdin, one a line:

    COMMAND [JSON ARGUMENTS]      execute, and print the answer as one line of sorted JSON
    !TEXT                         send TEXT as it is, print what is answered
    +TEXT                         send TEXT, and wait for nothing
    $COMMAND                      a shell command
    @NAME                         wait for this event (10 s), print its name and data
    ?NAME                         "seen NAME" or "not seen NAME": did this event come since the last @ or ?

Timestamps are left out of what is printed.  "EOF": the other side is gone."""
import json
import socket
import subprocess
import sys
import time


class Client:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(path)
        self.file = self.sock.makefile("rwb", 0)
        self.events = []

    def read(self):
        try:
            line = self.file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def answer(self):
        while True:
            got = self.read()
            if got is None or "event" not in got:
                return got
            self.check(got)

    def check(self, event):
        stamp = event.pop("timestamp")
        assert abs(stamp["seconds"] - time.time()) < 60 and 0 <= stamp["microseconds"] < 1000000, stamp
        self.events.append(event)

    def wait(self, name):
        while True:
            for i, e in enumerate(self.events):
                if e["event"] == name:
                    del self.events[: i + 1]
                    return e
            got = self.read()
            if got is None:
                return None
            if "event" in got:
                self.check(got)


def show(value):
    print("EOF" if value is None else json.dumps(value, sort_keys=True), flush=True)


def main():
    client = Client(sys.argv[1])
    show(client.read())
    for line in sys.stdin:
        line = line.rstrip("\n")
        if line.startswith("@"):
            show(client.wait(line[1:]))
        elif line.startswith("?"):
            seen = any(e["event"] == line[1:] for e in client.events)
            client.events.clear()
            print(("seen " if seen else "not seen ") + line[1:], flush=True)
        elif line.startswith("$"):
            subprocess.run(line[1:], shell=True, check=True)
        elif line.startswith("+"):
            client.file.write(line[1:].encode() + b"\r\n")
        else:
            if line.startswith("!"):
                text = line[1:]
            else:
                name, _, args = line.partition(" ")
                text = json.dumps({"execute": name, **({"arguments": json.loads(args)} if args else {})})
            client.file.write(text.encode() + b"\r\n")
            show(client.answer())


main()
