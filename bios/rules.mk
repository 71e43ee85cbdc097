# bios/rules.mk - builds what guests run before their own code, as C arrays in $(B)/bios/blobs.h.
# BLOBS: files made by rules here; each becomes `static const unsigned char NAME[]`, where NAME is the
# file's name with '.' and '-' as '_'.
BLOBS :=

# --- option ROM for a Linux kernel through firmware ---
BLOBS += $(B)/bios/linuxboot.bin
$(B)/bios/linuxboot.bin: $(SRC)/bios/linuxboot.S
	@mkdir -p $(@D)
	$(CC) -m16 -c $< -o $(B)/bios/linuxboot.o
	$(LD) -m elf_i386 -Ttext 0 -e _start --oformat binary $(B)/bios/linuxboot.o -o $@

# --- ACPI: the fixed part of the board ---
BLOBS += $(B)/bios/dsdt.aml
$(B)/bios/dsdt.aml: $(SRC)/bios/dsdt.asl
	@mkdir -p $(@D)
	iasl -vs -vi -p $(basename $@) $< >$@.log || { cat $@.log; exit 1; }

# --- all of them ---
$(B)/bios/blobs.h: $(BLOBS) $(SRC)/bios/rules.mk
	@mkdir -p $(@D)
	@{ echo '/* made by bios/rules.mk */'; for f in $(BLOBS); do \
	  n=$$(basename $$f | tr '.-' '__'); echo "static const unsigned char $$n[] __attribute__((unused)) = {"; \
	  od -An -v -tx1 $$f | sed 's/ \(..\)/0x\1,/g'; echo '};'; done; } >$@
