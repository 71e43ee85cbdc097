#!/usr/bin/env python3
"""tests/tools/powercut.py - cut the power at random points of a run of tests/tools/fsyncs, and look at what is left.

    powercut.py BLKCUT LOG BASE ACK_OFFSET CUTS SEED DIR

LOG is a drive's x-cut-log, BASE its image from before.  For each cut the image is rebuilt as the cut may leave it, its
journal replayed by e2fsck, which must find a consistent file system then, and every file that was acknowledged before
the cut must be there whole.  Prints a line for each cut that lost something, and "N cuts, N lost"; status 0: none lost.
"""
import random, re, struct, subprocess, sys, os

blkcut, log, base, ack_off, cuts, seed, tmp = sys.argv[1:8]
ack_off, cuts, seed = int(ack_off, 0), int(cuts), int(seed)
RECORD = struct.Struct("=IIQQQII")  # vmm/block/cut.h
WRITE, ZERO, FLUSH, DONE = 1, 2, 3, 4


def records():
    """(kind, off, data) of each record of the log"""
    with open(log, "rb") as f:
        while len(head := f.read(RECORD.size)) == RECORD.size:
            magic, kind, _, off, length, _, _ = RECORD.unpack(head)
            assert magic == 0x43555442, "not a log"
            yield kind, off, f.read(length) if kind == WRITE else b""


def content(i):
    x = (i * 2654435761 + 1) & 0xFFFFFFFF
    out = bytearray(x % 40000 + 1)
    for k in range(len(out)):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[k] = x >> 24
    return bytes(out)


def run(*args):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


acks, n, flushes = [], 0, 0  # acks: (record, file)
for kind, off, data in records():
    if kind == WRITE and off <= ack_off < off + len(data):
        m = re.match(rb"ACK (\d+)\n", data[ack_off - off:])
        if m:
            acks.append((n, int(m[1])))
    flushes += kind == FLUSH
    n += 1
want = {i: content(i) for _, i in acks}
print(f"{n} records, {flushes} flushes, {len(acks)} files acknowledged")
rng = random.Random(seed)
lost, seen = 0, 0
img, out = os.path.join(tmp, "cut.img"), os.path.join(tmp, "files")
for c in range(cuts):
    cut = rng.randrange(n + 1)
    r = run(blkcut, log, base, img, str(cut), str(c))
    if r.returncode:
        sys.exit(f"blkcut: {r.stdout.decode()}")
    acked = [i for at, i in acks if at < cut]
    seen += len(acked)
    bad = []
    fsck = run("e2fsck", "-fy", img)
    if fsck.returncode > 1:
        bad.append(f"e2fsck -fy: status {fsck.returncode}")
    else:
        # The superblock's totals are no part of a transaction: a mount counts them anew.
        text = re.sub(r"Free (blocks|inodes) count wrong \(\d+, counted=\d+\)\.\s*Fix\? yes", "",
                      fsck.stdout.decode(errors="replace"))
        bad += re.findall(r".*\n?.*\? yes", text)
    if not bad and run("e2fsck", "-fn", img).returncode:
        bad.append("e2fsck -fn after that is not clean")
    run("rm", "-rf", out)
    os.mkdir(out)
    run("debugfs", "-R", f"rdump / {out}", img)
    for i in acked:
        try:
            with open(os.path.join(out, f"f{i}"), "rb") as f:
                if f.read() != want[i]:
                    bad.append(f"f{i} is damaged")
        except OSError:
            bad.append(f"f{i} is missing")
    if bad:
        lost += 1
        print(f"cut at record {cut}, {len(acked)} acknowledged: {'; '.join(bad[:3])}" + (" ..." if len(bad) > 3 else ""))
print(f"{cuts} cuts, {lost} lost, {seen} files looked at")
sys.exit(lost > 0)
