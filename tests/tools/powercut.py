#!/usr/bin/env python3
"""tests/tools/powercut.py - cut the power at random points of a run of tests/tools/fsyncs, and look at what is left.

    powercut.py BLKCUT LOG BASE ACK_OFFSET CUTS SEED DIR

LOG is a drive's x-cut-log, BASE its image from before.  For each cut the image is rebuilt as the cut may leave it, its
journal replayed by e2fsck, which must find a consistent file system then, and every file that was acknowledged before
the cut must be there whole.  A qcow2 image must be without errors for qemu-img check as well (leaks are none), and
ACK_OFFSET is then where it has the acknowledgements in its file.  Prints a line for each cut that lost something, and
"N cuts, N lost"; status 0: none lost.
"""
import random, re, struct, sys, os
import fscheck

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


with open(base, "rb") as f:
    qcow2 = f.read(4) == b"QFI\xfb"
acks, n, flushes = [], 0, 0  # acks: (record, file)
for kind, off, data in records():
    if kind == WRITE and off <= ack_off < off + len(data):
        m = re.match(rb"ACK (\d+)\n", data[ack_off - off:])
        if m:
            acks.append((n, int(m[1])))
    flushes += kind == FLUSH
    n += 1
print(f"{n} records, {flushes} flushes, {len(acks)} files acknowledged")
rng = random.Random(seed)
lost, seen = 0, 0
img = os.path.join(tmp, "cut.img")
for c in range(cuts):
    cut = rng.randrange(n + 1)
    r = fscheck.run(blkcut, log, base, img, str(cut), str(c))
    if r.returncode:
        sys.exit(f"blkcut: {r.stdout.decode()}")
    acked = [i for at, i in acks if at < cut]
    seen += len(acked)
    bad = []
    if qcow2:
        r = fscheck.run("qemu-img", "check", "-q", "-f", "qcow2", img)
        if r.returncode not in (0, 3):
            bad.append(f"qemu-img check: status {r.returncode}: {r.stdout.decode(errors='replace')[:200]}")
        fscheck.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", img, img + ".raw")
        os.rename(img + ".raw", img)
    bad += fscheck.damage(img, acked, tmp)
    if bad:
        lost += 1
        print(f"cut at record {cut}, {len(acked)} acknowledged: {'; '.join(bad[:3])}" + (" ..." if len(bad) > 3 else ""))
print(f"{cuts} cuts, {lost} lost, {seen} files looked at")
sys.exit(lost > 0)
