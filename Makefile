# Exeunt. `make help` says what there is; README.md says what it is for.
# Objects go to $(BUILD); the sanitizer builds use a BUILD of their own.

BUILD  ?= build
PREFIX ?= /usr/local
CC     := gcc
ARCH   := $(shell uname -m)
MULTI  := $(shell $(CC) -print-multiarch 2>/dev/null)

BUILD_PACKAGES := gcc libc6-dev make libluajit-5.1-dev libblis-serial-dev libstb-dev libyaml-dev zlib1g-dev \
  librandom123-dev libedit-dev libmd-dev lua-argparse lua-cjson lua-inspect
DEMO_PACKAGES  := $(BUILD_PACKAGES) dataset-fashion-mnist
TEST_PACKAGES  := $(BUILD_PACKAGES) dataset-fashion-mnist libcmocka-dev lua-unit perl
LINT_PACKAGES  := $(BUILD_PACKAGES) clang-tidy lua-check
BENCH_PACKAGES := $(BUILD_PACKAGES) python3-torch

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wno-unknown-pragmas
INCLUDE := -isystem /usr/include/luajit-2.1 -isystem /usr/include/$(MULTI)/blis-serial
ALLC     = -std=gnu11 $(CFLAGS) $(WARN) $(INCLUDE) -fno-math-errno -fno-trapping-math -pthread $(SANITIZE)
LIBS    := /usr/lib/$(MULTI)/blis-serial/libblis.a -lluajit-5.1 -lyaml -lz -ledit -lmd -lm -ldl -pthread

# -- Sources: every room but vm is the engine; kernels/isa is built once per instruction set -----------------

ISAS := portable
ifeq ($(ARCH),x86_64)
ISAS += avx2 avx512
endif
ISA_portable := -O3
ISA_avx2     := -O3 -mavx2 -mfma
ISA_avx512   := -O3 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mprefer-vector-width=512

ENGINE := $(filter-out core/vm/% core/kernels/isa/%,$(wildcard core/*/*.c core/*/*/*.c))
KERNEL := $(wildcard core/kernels/isa/*.c)
VM     := $(wildcard core/vm/*.c)
OBJ    := $(ENGINE:%.c=$(BUILD)/%.o) $(foreach i,$(ISAS),$(KERNEL:core/kernels/isa/%.c=$(BUILD)/core/kernels/isa/%_$i.o))
VMOBJ  := $(VM:%.c=$(BUILD)/%.o)
CTESTS := $(patsubst tests/%_test.c,$(BUILD)/tests/%.t,$(shell find tests -name '*_test.c' 2>/dev/null))
LTESTS := $(shell find tests -name '*_test.lua' 2>/dev/null)
TESTLIB := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
PROGRAM := $(if $(filter build,$(BUILD)),exeunt,$(BUILD)/exeunt)

.PHONY: all demo test check install asan ubsan lint clean help packages
all: $(PROGRAM)

$(PROGRAM): $(VMOBJ) $(BUILD)/libexeunt.a
	$(CC) $(SANITIZE) -rdynamic -o $@ $(VMOBJ) -Wl,--whole-archive $(BUILD)/libexeunt.a -Wl,--no-whole-archive $(LIBS)

$(BUILD)/libexeunt.a: $(OBJ)
	@rm -f $@
	ar rcs $@ $(OBJ)

$(BUILD)/core/vm/header.o: core/exeunt.h
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLC) -MMD -MP -c -o $@ $<

define isa_rule
$(BUILD)/core/kernels/isa/%_$1.o: core/kernels/isa/%.c
	@mkdir -p $$(@D)
	$$(CC) $$(ALLC) $$(ISA_$1) -DEX_ISA_SUFFIX=$1 -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$i)))

-include $(OBJ:.o=.d) $(VMOBJ:.o=.d) $(TESTLIB:.o=.d) $(CTESTS:.t=.d)

# -- Tests ------------------------------------------------------------------------------------------------

$(BUILD)/tests/%.t: tests/%_test.c $(TESTLIB) $(BUILD)/libexeunt.a
	@mkdir -p $(@D)
	$(CC) $(ALLC) -MMD -MP -MT $@ -MF $(@:.t=.d) -rdynamic -o $@ $< $(TESTLIB) -Wl,--whole-archive $(BUILD)/libexeunt.a -Wl,--no-whole-archive -lcmocka $(LIBS)

check: $(PROGRAM) $(CTESTS)
	@EXEUNT=./$(PROGRAM) prove --ext .t --exec tests/run $(sort $(CTESTS) $(LTESTS))

test:
	@$(MAKE) --no-print-directory packages NEED="$(TEST_PACKAGES)"
	@$(MAKE) --no-print-directory -j2 check

clean:
	rm -rf build exeunt

# -- Set-up -----------------------------------------------------------------------------------------------

packages:
	@missing=; for p in $(NEED); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	[ -z "$$missing" ] && exit 0; \
	install="apt-get install -y --no-install-recommends$$missing"; \
	if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then as=sudo; else \
	  echo "These Debian packages are missing; have an administrator run:"; echo "  apt-get update && $$install"; exit 1; fi; \
	echo "Installing Debian packages:$$missing"; \
	$$as apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as $$install
