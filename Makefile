# Bantam's one Makefile.  `make run` and `make check` do all the set-up by themselves; see README.md.
# Out of tree: mkdir b && cd b && ../configure && make.
SRC ?= .
-include config.mk

GOALS := all run check check-guest lint bench fuzz install san
.DEFAULT_GOAL := all
.PHONY: $(GOALS) deps clean distclean

ifeq ($(CONFIGURED),)
# A fresh checkout: install what is missing, configure, and go on.
$(GOALS):
	@sh $(SRC)/scripts/setup build
	@sh $(SRC)/configure
	@+$(MAKE) --no-print-directory $@
deps:
	sh $(SRC)/scripts/setup all
clean distclean:
	rm -rf build bantam bantam-*.so config.mk
else

# A newer configure asks again, for what this configuration was made of.
config.mk: $(SRC)/configure
	@sh $(SRC)/configure $(if $(filter undefined,$(origin CONFIGURE_ARGS)),--cc='$(CC)' --prefix='$(PREFIX)',$(CONFIGURE_ARGS))

# SAN=1 builds everything with AddressSanitizer and UBSan, into a place of its own.
# FUZZ=1 (by `make fuzz`): the same for libFuzzer, by clang.
B := build$(if $(SAN),/san)$(if $(FUZZ),/fuzz)
BIN := $(if $(SAN),$(B)/bantam,bantam)
WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wno-override-init -Wno-missing-field-initializers
comma := ,
SANFLAGS := $(if $(SAN)$(FUZZ),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined \
  -fno-omit-frame-pointer) $(if $(FUZZ),-fsanitize=fuzzer-no-link)
FUZZ_CC ?= clang
OBJ_CC := $(if $(FUZZ),$(FUZZ_CC),$(CC))
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I$(SRC) -I$(B) -MMD -MP $(WARN) $(WERROR) $(CFG_CFLAGS) $(CFLAGS) $(SANFLAGS)
LIBS = $(CFG_LIBS) -lm -lpthread

# V=1 shows the commands.  SUB is a make that uses all CPUs, unless this one was told how many.
say = $(if $(V),,@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,echo '  $(1)  $@';))
SUB = $(MAKE) -s --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

src = $(patsubst $(SRC)/%,%,$(wildcard $(addprefix $(SRC)/,$(1))))
obj = $(patsubst %.c,$(B)/%.o,$(1))

# Modules (vmm/base/module.h): bantam-NAME.so of NAME_C with NAME_LIBS; not in the library.
MODULES := $(CFG_MODULES)
ALL_MODULES := nbd qmp slirp zstd
nbd_C := vmm/block/nbd.c
slirp_C := vmm/net/user.c
zstd_C := vmm/block/qcow2_zstd.c
qmp_C := $(call src,vmm/control/qmp*.c)
MODULE_C := $(foreach m,$(ALL_MODULES),$($(m)_C))
NO_MODULES := $(filter-out $(MODULES),$(ALL_MODULES))

LIB_C  := $(filter-out $(MODULE_C),$(call src,vmm/base/*.c vmm/core/*.c vmm/block/*.c vmm/char/*.c vmm/net/*.c vmm/ui/*.c vmm/boot/*.c vmm/control/*.c hw/*.c hw/*/*.c))
VMM_C  := $(call src,vmm/kvm/*.c)
LIB    := $(B)/libbantam.a
GEN    := $(B)/bios/blobs.h

MODULE_SO := $(patsubst %,$(dir $(BIN))bantam-%.so,$(MODULES))

all: $(BIN) $(MODULE_SO) $(if $(SAN),,build/compile_flags.txt)

# --- what the guest runs: built into arrays -----------------------------------------------------
include $(SRC)/bios/rules.mk

$(B)/%.o: $(SRC)/%.c | $(GEN)
	@mkdir -p $(@D)
	$(call say,CC)$(OBJ_CC) $(ALL_CFLAGS) -c $< -o $@

$(LIB): $(call obj,$(LIB_C))
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(BIN): $(call obj,$(VMM_C) vmm/main.c) $(LIB)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -rdynamic $^ $(LIBS) -o $@

# $(1) is the module
define module
$(dir $(BIN))bantam-$(1).so: $(call obj,$($(1)_C))
	$$(call say,LD)$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -shared $$^ $$(CFG_$(1)_LIBS) -o $$@
$(call obj,$($(1)_C)): ALL_CFLAGS += -fPIC $$(CFG_$(1)_CFLAGS)
endef
$(foreach m,$(MODULES),$(eval $(call module,$(m))))

build/compile_flags.txt: config.mk
	@mkdir -p build
	@printf '%s\n' $(ALL_CFLAGS) >$@

# --- tests --------------------------------------------------------------------------------------
TEST_C := $(filter-out $(foreach m,$(NO_MODULES),tests/unit/test_$(m).c),\
  $(call src,tests/unit/test_*.c tests/hw/test_*.c tests/kvm/test_*.c))
TESTS  := $(patsubst %.c,$(B)/%,$(TEST_C))
KVM_TESTS := $(patsubst tests/kvm/%.c,build/tests/kvm/%,$(filter tests/kvm/%,$(TEST_C)))
TEST_SH := $(call src,tests/boot/*.sh tests/smoke/*.sh tests/recipes/*.sh tests/kvm/*.sh tests/cli/*.sh tests/build/*.sh)
GUEST_SH := $(call src,tests/guest/*.sh)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(LIB)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(LIB) $(MODULE_LIBS) $(LIBS) -o $@
# the test of a module has the module in it
define module_test
$(B)/tests/unit/test_$(1): $(call obj,$($(1)_C))
$(B)/tests/unit/test_$(1): MODULE_LIBS := -rdynamic $$(CFG_$(1)_LIBS)
$(B)/tests/fuzz/replay_$(1) $(B)/fuzz_$(1): $(call obj,$($(1)_C))
$(B)/tests/fuzz/replay_$(1) $(B)/fuzz_$(1): MODULE_LIBS := -rdynamic $$(CFG_$(1)_LIBS)
$(B)/tests/unit/test_$(1).o $(B)/tests/fuzz/fuzz_$(1).o: ALL_CFLAGS += $$(CFG_$(1)_CFLAGS)
endef
$(foreach m,$(MODULES),$(eval $(call module_test,$(m))))
BENCH_O := $(B)/tests/hw/bench.o $(B)/tests/hw/catalog_rig.o $(B)/tests/hw/vdriver.o $(B)/tests/hw/vtest.o
$(B)/tests/hw/%: $(B)/tests/hw/%.o $(BENCH_O) $(LIB)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@
$(B)/tests/tools/%: $(B)/tests/tools/%.o
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@
$(B)/tests/kvm/%: $(B)/tests/kvm/%.o $(call obj,$(VMM_C)) $(LIB)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@
FUZZERS  := $(filter-out $(NO_MODULES),$(patsubst tests/fuzz/fuzz_%.c,%,$(call src,tests/fuzz/fuzz_*.c)))
$(B)/bench/%: $(B)/bench/%.o $(LIB)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@
FUZZ_LIB := $(B)/tests/fuzz/class_input.o $(B)/tests/fuzz/script.o $(BENCH_O)
REPLAYS  := $(addprefix $(B)/tests/fuzz/replay_,$(FUZZERS))
$(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(FUZZ_LIB) $(LIB)
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(LIB) $(MODULE_LIBS) $(LIBS) -o $@
$(B)/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(FUZZ_LIB) $(LIB)
	$(call say,LD)$(OBJ_CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) $(filter %.o,$^) $(LIB) $(MODULE_LIBS) $(LIBS) -o $@
FUZZ_OBJ := $(call obj,$(addprefix tests/fuzz/,$(FUZZERS:%=fuzz_%.c) class_input.c script.c replay.c)) $(BENCH_O)
.SECONDARY: $(call obj,$(TEST_C)) $(FUZZ_OBJ)

tests: $(TESTS) $(if $(SAN),$(REPLAYS)) $(B)/tests/tools/blkcut
san:
	+$(MAKE) SAN=1 all tests

# The sanitizers' build runs everything that is C; the plain one what knows KVM, and the scripts.  The long ones start first.
check:
	@sh $(SRC)/scripts/setup check
	@echo "building bantam and its tests, twice (the second time with sanitizers)"
	@+$(SUB) all $(KVM_TESTS) build/tests/tools/blkcut
	@+$(SUB) SAN=1 all tests
	@BANTAM_SRC=$(SRC) sh $(SRC)/tests/run $(TEST_SH) $(KVM_TESTS) $(patsubst %.c,build/san/%,$(TEST_C)) \
	    $(addprefix build/san/tests/fuzz/replay_,$(FUZZERS))

check-guest:
	@sh $(SRC)/scripts/setup check
	@+$(SUB) all tests
	@BANTAM_SRC=$(SRC) LIMIT=3600 sh $(SRC)/tests/run $(GUEST_SH)

run:
	@sh $(SRC)/scripts/setup build
	@echo "building bantam"
	@+$(SUB) all
	@sh $(SRC)/scripts/run-demo

lint:
	@sh $(SRC)/scripts/setup lint
	@BANTAM_SRC=$(SRC) sh $(SRC)/scripts/lint

# Each of the fuzz targets for FUZZ_SECONDS; FUZZERS="device state": only these.  New finds: build/fuzz/corpus/.
fuzz:
	@sh $(SRC)/scripts/setup build
	@BANTAM_SRC=$(SRC) sh $(SRC)/tests/fuzz/run check "$(FUZZ_CC)"
	@+$(SUB) FUZZ=1 $(addprefix build/fuzz/fuzz_,$(FUZZERS))
	@BANTAM_SRC=$(SRC) sh $(SRC)/tests/fuzz/run run $(FUZZERS)

bench: all
	sh $(SRC)/scripts/setup check
	sh $(SRC)/bench/run

deps:
	sh $(SRC)/scripts/setup all

install: all
	install -D -m 755 bantam $(DESTDIR)$(PREFIX)/bin/bantam
	for m in $(MODULE_SO); do install -D -m 755 $$m $(DESTDIR)$(PREFIX)/lib/bantam/$$(basename $$m) || exit 1; done
	install -D -m 644 $(SRC)/docs/bantam.1 $(DESTDIR)$(PREFIX)/share/man/man1/bantam.1

clean:
	rm -rf build bantam bantam-*.so
distclean: clean
	rm -f config.mk
	[ "$(SRC)" = . ] || rm -f Makefile

-include $(patsubst %.o,%.d,$(call obj,$(LIB_C) $(MODULE_C) $(VMM_C) vmm/main.c $(TEST_C)) $(FUZZ_OBJ))
.DELETE_ON_ERROR:
endif
