#!/usr/bin/env python3
"""tests/tools/killcheck.py - what a killed machine has left of a run of tests/tools/fsyncs.

    killcheck.py IMAGE ACK_OFFSET DIR

IMAGE is raw or qcow2.  A qcow2 image must be clean for `qemu-img check` (leaked clusters are repaired first: a killed
machine may leak some); then all that was acknowledged must be in the file system.  Prints what is wrong; status 0:
nothing, and at least one file had been acknowledged.
"""
import os, re, shutil, sys
import fscheck

image, ack_off, tmp = sys.argv[1], int(sys.argv[2], 0), sys.argv[3]
raw, bad = os.path.join(tmp, "killed.raw"), []
with open(image, "rb") as f:
    qcow2 = f.read(4) == b"QFI\xfb"
if qcow2:
    r = fscheck.run("qemu-img", "check", "-f", "qcow2", image)
    if r.returncode == 3:  # only leaks
        r = fscheck.run("qemu-img", "check", "-f", "qcow2", "-r", "leaks", image)
    if r.returncode:
        bad.append(f"qemu-img check: status {r.returncode}: " + r.stdout.decode(errors="replace")[:300])
    r = fscheck.run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw)
    if r.returncode:
        sys.exit("qemu-img convert: " + r.stdout.decode(errors="replace"))
else:
    shutil.copyfile(image, raw)
with open(raw, "rb") as f:
    f.seek(ack_off)
    m = re.match(rb"ACK (\d+)\n", f.read(512))
acked = list(range(int(m[1]) + 1)) if m else []
if not acked:
    bad.append("nothing was acknowledged")
bad += fscheck.damage(raw, acked, tmp)
print(f"{len(acked)} files acknowledged" + "".join("; " + b for b in bad[:4]))
sys.exit(bool(bad))
