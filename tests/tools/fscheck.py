"""tests/tools/fscheck.py - what tests/tools/fsyncs must have left in an ext4 image: for powercut.py and killcheck.py."""
import os, re, subprocess


def content(i):
    x = (i * 2654435761 + 1) & 0xFFFFFFFF
    out = bytearray(x % 40000 + 1)
    for k in range(len(out)):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        out[k] = x >> 24
    return bytes(out)


wanted = {}


def want(i):
    if i not in wanted:
        wanted[i] = content(i)
    return wanted[i]


def run(*args):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def damage(img, acked, tmp):
    """Replays the journal of img; what is wrong with it then, or with the files of the numbers in acked."""
    out, bad = os.path.join(tmp, "files"), []
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
                if f.read() != want(i):
                    bad.append(f"f{i} is damaged")
        except OSError:
            bad.append(f"f{i} is missing")
    return bad
