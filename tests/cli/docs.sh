#!/bin/bash
# tests/cli/docs.sh - what is written about the program is what it does: docs/devices.md; README's files are there.
# shellcheck source=tests/lib/tap.sh disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
sh "$SRC/scripts/gen-devices" "$VMM" >"$TMP/devices.md"
is "docs/devices.md is current (else: scripts/gen-devices >docs/devices.md)" "$(diff "$SRC/docs/devices.md" "$TMP/devices.md")" ""
for page in README.md CONTRIBUTING.md docs/architecture.md docs/testing.md; do
    gone=""
    for f in $(grep -oE '\]\([^)#:]+\)' "$SRC/$page" | tr -d '()]'); do
        [ -e "$SRC/$(dirname "$page")/$f" ] || gone="$gone $f"
    done
    # Paths in `code` that look like ours.
    for f in $(grep -oE '`(vmm|hw|tests|scripts|docs|bench|bios)/[A-Za-z0-9_./-]*`' "$SRC/$page" | tr -d '\`'); do
        [ -e "$SRC/$f" ] || gone="$gone $f"
    done
    is "$page names files that are there" "$gone" ""
done
finish
