# tests/lib/images.sh - makes what the boot tests boot: a Multiboot kernel, a GRUB disk, floppy and ISO.
# shellcheck shell=bash

make_kernel() { # OUT
    gcc -m32 -nostdlib -static -no-pie -Wl,--build-id=none,--no-warn-rwx-segments -Wl,-T,"$SRC/tests/boot/kernel.ld" -o "$1" "$SRC/tests/boot/kernel.S"
}

# GRUB_TIMEOUT: how long the menu stands (1 s); GRUB_SAYS: the kernel's command line.
grub_cfg() {
    cat <<G
serial --unit=0 --speed=115200
terminal_output console serial
set timeout=${GRUB_TIMEOUT:-1}
menuentry "Bantam test kernel" {
    multiboot /kernel ${GRUB_SAYS:-from-grub}
    module /module.txt
}
G
}
grub_core() { # DRIVE MODULE...: a core image that reads its configuration from this drive
    echo "set root=($1)
configfile /grub.cfg" >"$TMP/early.cfg"
    shift
    grub-mkimage -O i386-pc -p /grub -c "$TMP/early.cfg" -o "$TMP/core.img" biosdisk fat configfile normal multiboot serial terminal "$@"
}
grub_files() { # FAT_IMAGE KERNEL
    grub_cfg >"$TMP/grub.cfg"
    echo "hello from the module" >"$TMP/module.txt"
    mcopy -i "$1" "$TMP/grub.cfg" ::/grub.cfg && mcopy -i "$1" "$2" ::/kernel && mcopy -i "$1" "$TMP/module.txt" ::/module.txt
}

# A disk: GRUB's boot sector and core image in the gap, one FAT partition with its configuration.
make_grub_disk() { # OUT KERNEL
    local part=2048 size=16384
    grub_core hd0,msdos1 part_msdos || return 1
    truncate -s $(((part + size) * 512)) "$1"
    dd if=/usr/lib/grub/i386-pc/boot.img of="$1" bs=446 count=1 conv=notrunc status=none
    dd if="$TMP/core.img" of="$1" bs=512 seek=1 conv=notrunc status=none
    # one active partition, type 0c (FAT, LBA), from `part`, and the boot signature
    printf '\x80\x00\x00\x00\x0c\xff\xff\xff\x00\x08\x00\x00\x00\x40\x00\x00' | dd of="$1" bs=1 seek=446 conv=notrunc status=none
    printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
    truncate -s $((size * 512)) "$TMP/fat.img"
    mkfs.fat "$TMP/fat.img" >/dev/null || return 1
    grub_files "$TMP/fat.img" "$2" || return 1
    dd if="$TMP/fat.img" of="$1" bs=512 seek=$part conv=notrunc status=none
}

# A 1.44 MB floppy: a FAT whose reserved sectors hold the core image; the boot sector keeps the FAT's parameters.
make_grub_floppy() { # OUT KERNEL
    local reserved
    grub_core fd0 || return 1
    reserved=$(($(stat -c %s "$TMP/core.img") / 512 + 2))
    rm -f "$1"
    truncate -s 1440K "$1"
    mkfs.fat -F 12 -R $reserved "$1" >/dev/null && grub_files "$1" "$2" || return 1
    dd if=/usr/lib/grub/i386-pc/boot.img of="$1" bs=1 count=3 conv=notrunc status=none
    dd if=/usr/lib/grub/i386-pc/boot.img of="$1" bs=1 skip=90 seek=90 count=420 conv=notrunc status=none
    dd if="$TMP/core.img" of="$1" bs=512 seek=1 conv=notrunc status=none
}

make_grub_iso() { # OUT KERNEL
    local m="normal multiboot serial terminal iso9660 biosdisk part_msdos part_gpt" d="$TMP/iso"
    rm -rf "$d"
    mkdir -p "$d/boot/grub"
    grub_cfg >"$d/boot/grub/grub.cfg"
    cp "$2" "$d/kernel"
    echo "hello from the module" >"$d/module.txt"
    # It looks for every kind of partition table there is.
    for f in /usr/lib/grub/i386-pc/part_*.mod; do f=${f##*/}; m="$m ${f%.mod}"; done
    grub-mkrescue -d /usr/lib/grub/i386-pc -o "$1" --install-modules="$m" --locales= --fonts= --themes= "$d" >"$TMP/mkrescue.log" 2>&1
}

# A medium whose boot sector leaves through isa-debug-exit at port 0xf4 (status 2 N + 1), or resets the machine, or says
# HELLO on COM1 and powers off.
boot_code() { # N|reset|hello
    local c
    case $1 in
        reset) printf '\260\376\346\144\364' ;;                         # mov $0xfe,%al; out %al,$0x64; hlt
        hello)
            for c in H E L L O '\n'; do                                 # until (LSR & 20h); out of THR
                printf "\272\375\003\354\250\040\164\373\272\370\003\260$c\356"
            done
            printf '\272\004\006\270\000\040\357\364\353\375' ;;        # SLP_EN to PM1a_CNT, at port 604h
        *) printf '\260\'"$(printf %03o "$1")"'\346\364\364' ;;         # mov $N,%al; out %al,$0xf4; hlt
    esac
}
make_boot_disk() { # OUT N|reset|hello BYTES
    boot_code "$2" >"$1"
    truncate -s 510 "$1"
    printf '\125\252' >>"$1"
    truncate -s "$3" "$1"
}
make_boot_cd() { # OUT N|reset
    rm -rf "$TMP/eltorito"
    mkdir "$TMP/eltorito"
    make_boot_disk "$TMP/eltorito/boot" "$2" 2048
    xorriso -as mkisofs -quiet -o "$1" -b boot -no-emul-boot -boot-load-size 4 "$TMP/eltorito" 2>"$TMP/mkisofs.log"
}
