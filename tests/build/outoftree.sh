#!/bin/bash
# tests/build/outoftree.sh - built in another directory, with options of configure: the source stays as it was, what was
# left out is refused clearly, install and clean do what they say.
# shellcheck disable=SC1091,SC2154
. "$(dirname "$0")/../lib/tap.sh"
[ -e "$SRC/configure" ] || skip_all "no source"
unset MAKEFLAGS MFLAGS MAKELEVEL
# The source without what a build there left, and read-only.
mkdir "$TMP/src" "$TMP/b"
(cd "$SRC" && tar cf - --exclude=./build --exclude=./.git --exclude=./config.mk --exclude=./bantam .) | tar xf - -C "$TMP/src"
sum() { (cd "$TMP/src" && find . -type f -print0 | sort -z | xargs -0 md5sum | md5sum); }
before=$(sum)
cd "$TMP/b" || exit 1
check "configure" "$TMP/src/configure" --prefix=/opt/bantam --disable-png --disable-io-uring
check "make" make -s -j"$(nproc)" CFLAGS=-O0
check "there is the program" test -x ./bantam
is "the source is as it was" "$(sum)" "$before"
check "it says its version" ./bantam -version
if ldd ./bantam | grep -q libpng; then not_ok "libpng is not linked"; else ok "libpng is not linked"; fi
if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
    printf 'screendump x.png\nscreendump x.ppm\nquit\n' |
        timeout 60 ./bantam -S -display none -vga std -serial null -monitor stdio >out 2>err
    has "a PNG is refused" out "Error: "
    is "a PPM is not" "$(head -c 2 x.ppm 2>/dev/null)" P6
    is "no PNG was made" "$(ls x.png 2>/dev/null)" ""
else
    skip "screendump" "no usable /dev/kvm here"
fi
check "make install" make -s install CFLAGS=-O0 DESTDIR="$TMP/d"
is "below the prefix" "$(cd "$TMP/d" && find . -name bantam -type f)" ./opt/bantam/bin/bantam
check "make again does nothing" make -q all CFLAGS=-O0
check "make distclean" make -s distclean
is "nothing is left but what the test made" "$(find . -mindepth 1 -maxdepth 1 ! -name out ! -name err ! -name 'x.p*')" ""
is "the source is still as it was" "$(sum)" "$before"
finish
