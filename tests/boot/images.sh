# tests/boot/images.sh - makes what the boot tests boot: a Multiboot kernel, a GRUB disk, a GRUB ISO.
# shellcheck shell=bash

make_kernel() { # OUT
    gcc -m32 -nostdlib -static -no-pie -Wl,--build-id=none,--no-warn-rwx-segments -Wl,-T,"$SRC/tests/boot/kernel.ld" -o "$1" "$SRC/tests/boot/kernel.S"
}

grub_cfg() {
    cat <<'G'
serial --unit=0 --speed=115200
terminal_output console serial
set timeout=1
menuentry "Bantam test kernel" {
    multiboot /kernel from-grub
    module /module.txt
}
G
}

# A disk: GRUB's boot sector and core image in the gap, one FAT partition with its configuration.
make_grub_disk() { # OUT KERNEL
    local part=2048 size=16384
    grub_cfg >"$TMP/grub.cfg"
    echo "set root=(hd0,msdos1)
configfile /grub.cfg" >"$TMP/early.cfg"
    grub-mkimage -O i386-pc -p /grub -c "$TMP/early.cfg" -o "$TMP/core.img" biosdisk part_msdos fat configfile normal multiboot serial terminal echo || return 1
    truncate -s $(((part + size) * 512)) "$1"
    dd if=/usr/lib/grub/i386-pc/boot.img of="$1" bs=446 count=1 conv=notrunc status=none
    dd if="$TMP/core.img" of="$1" bs=512 seek=1 conv=notrunc status=none
    # one active partition, type 0c (FAT, LBA), from `part`, and the boot signature
    printf '\x80\x00\x00\x00\x0c\xff\xff\xff\x00\x08\x00\x00\x00\x40\x00\x00' | dd of="$1" bs=1 seek=446 conv=notrunc status=none
    printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
    truncate -s $((size * 512)) "$TMP/fat.img"
    mkfs.fat "$TMP/fat.img" >/dev/null || return 1
    mcopy -i "$TMP/fat.img" "$TMP/grub.cfg" ::/grub.cfg
    mcopy -i "$TMP/fat.img" "$2" ::/kernel
    echo "hello from the module" >"$TMP/module.txt"
    mcopy -i "$TMP/fat.img" "$TMP/module.txt" ::/module.txt
    dd if="$TMP/fat.img" of="$1" bs=512 seek=$part conv=notrunc status=none
}

make_grub_iso() { # OUT KERNEL
    mkdir -p "$TMP/iso/boot/grub"
    grub_cfg >"$TMP/iso/boot/grub/grub.cfg"
    cp "$2" "$TMP/iso/kernel"
    echo "hello from the module" >"$TMP/iso/module.txt"
    grub-mkrescue -d /usr/lib/grub/i386-pc -o "$1" --install-modules="normal multiboot serial terminal iso9660 biosdisk" \
        --locales= --fonts= --themes= "$TMP/iso" >"$TMP/mkrescue.log" 2>&1
}
