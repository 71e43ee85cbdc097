#!/usr/bin/env python3
"""tests/cli/qmp-shapes.py OURS THEIRS - are our answers such as QEMU could have given?

Both files have the lines that qmp.py printed for the same steps.  Types of values are compared, not values; errors
have the same class.  By QEMU's own schema: a member of ours is one that it knows there (or gave), and of what it
requires nothing is missing.  Prints "ok WHAT" or "WHAT: why not"."""
import json
import sys

ours, theirs = ([json.loads(l) for l in open(f) if l != "EOF\n"] for f in sys.argv[1:3])
SCHEMA = next(a["return"] for a in theirs if isinstance(a.get("return"), list) and
              any(isinstance(e, dict) and "meta-type" in e for e in a["return"]))
TYPES = {t["name"]: t for t in SCHEMA}
OURS = next(a["return"] for a in ours if isinstance(a.get("return"), list) and
            any(isinstance(e, dict) and "meta-type" in e for e in a["return"]))
NAMES = """greeting qmp_capabilities query-version query-status query-name query-uuid query-kvm query-target
query-chardev query-block query-blockstats query-named-block-nodes query-cpus-fast query-pci query-mice query-iothreads
query-commands query-memory-size-summary query-qmp-schema device-list-properties qom-list qom-list
query-command-line-options unknown missing wrong-type unexpected
no-link no-balloon quit""".split()
JSON = {"string": str, "int": int, "number": (int, float), "boolean": bool, "null": type(None)}


def conforms(value, name, at):
    """value against type `name` of QEMU's schema: what is wrong, or None"""
    t = TYPES[name]
    meta = t["meta-type"]
    if meta == "builtin":
        if t["json-type"] == "value":
            return None
        ok = isinstance(value, JSON[t["json-type"]]) and (t["json-type"] == "boolean" or not isinstance(value, bool))
        return None if ok else f"{at} is {value!r}, wanted {t['json-type']}"
    if meta == "enum":
        return None if value in t["values"] else f"{at}: {value!r} is not in {t['values']}"
    if meta == "array":
        if not isinstance(value, list):
            return f"{at} is no list"
        return next(filter(None, (conforms(v, t["element-type"], f"{at}[{i}]") for i, v in enumerate(value))), None)
    if meta == "alternate":
        return None if any(conforms(value, m["type"], at) is None for m in t["members"]) else f"{at}: {value!r}"
    if not isinstance(value, dict):
        return f"{at} is no object"
    members = list(t["members"])
    for v in t.get("variants", []):
        if v["case"] == value.get(t["tag"]):
            members += TYPES[v["type"]]["members"]
    known = {m["name"]: m for m in members}
    for m in members:
        if m["name"] not in value:
            if "default" not in m:
                return f"{at}.{m['name']} is missing"
            continue
        bad = conforms(value[m["name"]], m["type"], f"{at}.{m['name']}")
        if bad:
            return bad
    for k in value:
        if k not in known:
            return f"{at}.{k} is not QEMU's"
    return None


def report(what, why):
    print(f"{what}: {why}" if why else f"ok {what}")


for name, a, b in zip(NAMES, ours, theirs):
    if "error" in b:
        report(name, None if a.get("error", {}).get("class") == b["error"]["class"] else f"{a} and not {b}")
    elif "return" in b:
        command = TYPES.get(name)
        report(name, conforms(a["return"], command["ret-type"], name) if command and "return" in a else
               None if "return" in a else f"{a}")
    else:
        report(name, None if a.keys() == b.keys() and a["QMP"].keys() == b["QMP"].keys() else f"{a} and not {b}")

# Our schema: every command and event is QEMU's, takes only arguments that QEMU takes, and requires none more.
OUR_TYPES = {t["name"]: t for t in OURS}
for t in OURS:
    if t["meta-type"] not in ("command", "event"):
        continue
    q = TYPES.get(t["name"])
    if not q:
        report(f"schema of {t['name']}", "QEMU has none of that name")
        continue
    mine = {m["name"]: m for m in OUR_TYPES[t["arg-type"]]["members"]}
    his = {m["name"]: m for m in TYPES[q["arg-type"]]["members"]}
    why = None
    for n, m in mine.items():
        if n not in his:
            why = f"argument {n} is not QEMU's"
        elif t["meta-type"] == "command" and "default" not in m and "default" in his[n]:
            why = f"argument {n} is not required by QEMU"
    for n, m in his.items():
        if "default" not in m and n not in mine:
            why = f"argument {n} is missing"
    if why or t["meta-type"] == "event":
        report(f"schema of {t['name']}", why)
