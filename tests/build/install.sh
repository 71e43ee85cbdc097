#!/bin/bash
# tests/build/install.sh - `make install` puts the program and its page below DESTDIR and PREFIX, and the program runs
# from there.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
[ -e config.mk ] && [ -x "$VMM" ] || skip_all "nothing is built here"
unset MAKEFLAGS MFLAGS MAKELEVEL
prefix=$(sed -n 's/^PREFIX := //p' config.mk)
check "make install" make -s install DESTDIR="$TMP/d"
at=$TMP/d$prefix
is "the program" "$(stat -c %a "$at/bin/bantam" 2>&1)" 755
is "its page" "$(stat -c %a "$at/share/man/man1/bantam.1" 2>&1)" 644
is "the program is what was built" "$(md5sum <"$at/bin/bantam")" "$(md5sum <"$VMM")"
is "it runs from there" "$(cd / && "$at/bin/bantam" -version 2>&1)" "$("$VMM" -version 2>&1)"
check "another prefix, given to make" make -s install DESTDIR="$TMP/e" PREFIX=/opt/b
is "below that prefix" "$(cd "$TMP/e" && find . -name bantam -type f)" ./opt/b/bin/bantam
is "and nowhere else" "$(ls "$TMP/e")" opt
finish
