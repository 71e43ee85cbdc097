# bios/rules.mk - builds what guests run before their own code, as C arrays in $(B)/bios/blobs.h.
# BLOBS: files made by rules here; each becomes `static const unsigned char NAME[]`, where NAME is the
# file's name with '.' and '-' as '_'.
BLOBS :=

# --- option ROM for a Linux kernel through firmware ---
BLOBS += $(B)/bios/linuxboot.bin
$(B)/bios/linuxboot.bin: $(SRC)/bios/linuxboot.S
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -m16 -c $< -o $(B)/bios/linuxboot.o
	@$(LD) -m elf_i386 -Ttext 0 -e _start --oformat binary $(B)/bios/linuxboot.o -o $@

# --- ACPI: the fixed part of the board ---
BLOBS += $(B)/bios/dsdt.aml $(B)/bios/ssdt.aml $(B)/bios/microvm.aml
$(B)/bios/%.aml: $(SRC)/bios/%.asl
	@mkdir -p $(@D)
	$(call say,IASL)iasl -vs -vi -p $(basename $@) $< >$@.log || { cat $@.log; exit 1; }

# --- the demo guest (-demo): 64-bit code in a 32-bit ELF file, as Multiboot 1 wants it ---
DEMO_C := $(patsubst $(SRC)/%,%,$(wildcard $(SRC)/bios/demo/*.c))
DEMO_O := $(patsubst %,$(B)/%.o,bios/demo/start $(basename $(DEMO_C)))
DEMO_CFLAGS := -std=gnu11 -O2 -Wall -Wextra -m64 -march=x86-64 -mgeneral-regs-only -mno-red-zone -ffreestanding -fno-pic \
  -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
BLOBS += $(B)/bios/demo.elf
$(B)/bios/demo/%.o: $(SRC)/bios/demo/%.c $(SRC)/bios/demo/demo.h
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(DEMO_CFLAGS) -c $< -o $@
$(B)/bios/demo/start.o: $(SRC)/bios/demo/start.S
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -m64 -c $< -o $@
$(B)/bios/demo.elf: $(DEMO_O) $(SRC)/bios/demo/demo.ld
	@$(LD) -m elf_x86_64 -n -z noexecstack --no-warn-rwx-segments -T $(SRC)/bios/demo/demo.ld $(DEMO_O) -o $@.64
	@objcopy -S -I elf64-x86-64 -O elf32-i386 $@.64 $@

# --- all of them ---
$(B)/bios/blobs.h: $(BLOBS) $(SRC)/bios/rules.mk
	@mkdir -p $(@D)
	@{ echo '/* made by bios/rules.mk */'; for f in $(BLOBS); do \
	  n=$$(basename $$f | tr '.-' '__'); echo "static const unsigned char $$n[] __attribute__((unused)) = {"; \
	  od -An -v -tx1 $$f | sed 's/ \(..\)/0x\1,/g'; echo '};'; done; } >$@
