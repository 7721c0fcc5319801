# Exeunt. `make help` lists the targets; README.md says what it is for.
# Objects go to $(BUILD); the sanitizer builds use a BUILD of their own below it. `make V=1` shows the commands.

BUILD  ?= build
PREFIX ?= /usr/local
CC     := gcc
ARCH   := $(shell uname -m)
MULTI  := $(shell $(CC) -print-multiarch 2>/dev/null)
Q      := $(if $(filter 1,$(V)),,@)

BUILD_PACKAGES := gcc libc6-dev make libluajit-5.1-dev libblis-serial-dev libstb-dev libjpeg62-turbo-dev libyaml-dev zlib1g-dev \
  librandom123-dev libedit-dev libmd-dev libsqlite3-dev libpq-dev lua-argparse lua-cjson lua-inspect
DEMO_PACKAGES  := $(BUILD_PACKAGES) dataset-fashion-mnist
TEST_PACKAGES  := $(BUILD_PACKAGES) dataset-fashion-mnist libcmocka-dev lua-unit perl curl unzip gnuplot-nox
LINT_PACKAGES  := $(TEST_PACKAGES) clang-tidy lua-check
CLUSTER_PACKAGES := $(TEST_PACKAGES) postgresql iproute2 openmpi-bin slurmctld slurmd slurm-client
BENCH_PACKAGES := $(BUILD_PACKAGES) python3-torch libdnnl-dev python3-optuna

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wno-unknown-pragmas
INCLUDE := -isystem /usr/include/luajit-2.1 -isystem /usr/include/$(MULTI)/blis-serial
FLAGS   := -std=gnu11 $(WARN) $(INCLUDE) -fno-math-errno -fno-trapping-math -pthread
ALLC     = $(FLAGS) $(CFLAGS) $(SANITIZE)
LIBS    := /usr/lib/$(MULTI)/blis-serial/libblis.a -lluajit-5.1 -lyaml -ljpeg -lz -ledit -lmd -lsqlite3 -lm -ldl -pthread
WHOLE    = -Wl,--whole-archive $(BUILD)/libexeunt.a -Wl,--no-whole-archive

.PHONY: all demo test test-cluster check asan ubsan tsan fuzz fuzzed valgrind lint lint-c bench bench-json install uninstall packages clean help
.DEFAULT_GOAL := all

# -- Sources: every room but vm is the engine; kernels/isa is built once per instruction set -----------------

ISAS := portable
ifeq ($(ARCH),x86_64)
ISAS += avx2 avx512
endif
ISA_portable := -O3
ISA_avx2     := -O3 -mavx2 -mfma
ISA_avx512   := -O3 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mprefer-vector-width=512
# gcc 12 stores vectors of 64 bytes to frames that AddressSanitizer's check of returned stacks aligns to 32.
ISA_avx512   += $(if $(findstring address,$(SANITIZE)),--param asan-use-after-return=0)

ENGINE  := $(filter-out core/vm/% core/kernels/isa/%,$(wildcard core/*/*.c core/*/*/*.c))
KERNEL  := $(wildcard core/kernels/isa/*.c)
VM      := $(wildcard core/vm/*.c)
HEADERS := $(wildcard core/*.h core/*/*.h core/*/*/*.h tests/support/*.h)
OBJ     := $(ENGINE:%.c=$(BUILD)/%.o) $(foreach i,$(ISAS),$(KERNEL:%.c=$(BUILD)/%_$i.o))
VMOBJ   := $(VM:%.c=$(BUILD)/%.o)
CTESTS  := $(patsubst tests/%_test.c,$(BUILD)/tests/%.t,$(sort $(shell find tests -name '*_test.c')))
LTESTS  := $(sort $(shell find tests -name '*_test.lua'))
TESTLIB := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
PROGRAM := $(if $(filter build,$(BUILD)),exeunt,$(BUILD)/exeunt)

all: $(PROGRAM) ## build ./exeunt
	@:

$(PROGRAM): $(VMOBJ) $(BUILD)/libexeunt.a
	@echo "  LD   $@"
	$(Q)$(CC) $(SANITIZE) -rdynamic -o $@ $(VMOBJ) $(WHOLE) $(LIBS)

$(BUILD)/libexeunt.a: $(OBJ)
	@echo "  AR   $@"
	@rm -f $@
	$(Q)ar rcs $@ $(OBJ)

$(BUILD)/core/vm/header.o: core/exeunt.h
$(BUILD)/%.o: %.c | $(BUILD)/found
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(ALLC) -MMD -MP -c -o $@ $<

define isa_rule
$(BUILD)/core/kernels/isa/%_$1.o: core/kernels/isa/%.c | $(BUILD)/found
	@mkdir -p $$(@D)
	@echo "  CC   $$< ($1)"
	$$(Q)$$(CC) $$(ALLC) $$(ISA_$1) -DEX_ISA_SUFFIX=$1 -MMD -MP -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call isa_rule,$i)))

$(BUILD)/bench/%: bench/%.c $(BUILD)/libexeunt.a
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(ALLC) -MMD -MP -MT $@ -MF $@.d -o $@ $< $(BUILD)/libexeunt.a $(LIBS)

$(BUILD)/tests/%.t: tests/%_test.c $(TESTLIB) $(BUILD)/libexeunt.a
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(ALLC) -MMD -MP -MT $@ -MF $(@:.t=.d) -rdynamic -o $@ $< $(TESTLIB) $(WHOLE) -lcmocka $(LIBS)

$(BUILD)/bench/%: bench/%.c $(BUILD)/libexeunt.a
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(ALLC) -o $@ $< $(WHOLE) $(LIBS)

.SECONDARY: $(TESTLIB)

-include $(OBJ:.o=.d) $(VMOBJ:.o=.d) $(TESTLIB:.o=.d) $(CTESTS:.t=.d)

# Looks once whether what is compiled against is there, so that its absence is one clear line.
$(BUILD)/found:
	@mkdir -p $(@D)
	@command -v $(CC) >/dev/null || { echo "There is no $(CC) here. 'make packages' installs what the build needs."; exit 1; }
	@for h in lua.h blis.h stb/stb_image.h jpeglib.h yaml.h zlib.h Random123/philox.h editline/readline.h md5.h sqlite3.h; do \
	  echo "#include <$$h>" | $(CC) $(INCLUDE) -E -x c - >/dev/null 2>&1 || missing="$$missing $$h"; done; \
	[ -z "$$missing" ] || { echo "These C headers are missing:$$missing. 'make packages' installs what the build needs."; exit 1; }
	@touch $@

# -- What a person asks for ----------------------------------------------------------------------------------

demo: ## install what is missing, build, run the main job: train with exits, vote, prune, compare
	@$(MAKE) --no-print-directory packages NEED="$(DEMO_PACKAGES)"
	@$(MAKE) --no-print-directory -j2 all
	./exeunt run recipes/04_aep_mobilenet.lua $(ARGS)

test: ## install what is missing, build, run every test
	@$(MAKE) --no-print-directory packages NEED="$(TEST_PACKAGES)"
	@$(MAKE) --no-print-directory -j2 check

CLUSTER_TESTS := $(wildcard tests/cluster/*_test.lua) tests/lua/exeunt/search/store_server_test.lua
test-cluster: ## searches by Slurm, by mpirun, on two machines and PostgreSQL, for real: installs them; as root
	@$(MAKE) --no-print-directory packages NEED="$(CLUSTER_PACKAGES)"
	@$(MAKE) --no-print-directory -j2 all
	@EXEUNT=$(abspath $(PROGRAM)) prove -v --timer --ext .lua --exec tests/run $(CLUSTER_TESTS)

bench: ## our speed and memory beside PyTorch's and others', interleaved in one run (CASES="train/* startup")
	@$(MAKE) --no-print-directory packages NEED="$(BENCH_PACKAGES)" || true
	@$(MAKE) --no-print-directory -j2 all
	@set -f; bench/run $(CASES)

bench-json: ## the same as one line of JSON a case
	@$(MAKE) --no-print-directory packages NEED="$(BENCH_PACKAGES)" >&2 || true
	@$(MAKE) --no-print-directory -j2 all >&2
	@set -f; bench/run --json $(CASES)

packages: NEED ?= $(BUILD_PACKAGES)
packages: ## install the Debian packages that the build needs, as root or through sudo
	@for p in $(NEED); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
	[ -n "$$missing" ] || exit 0; \
	install="apt-get install -y --no-install-recommends$$missing"; \
	if [ "$$(id -u)" = 0 ]; then as=; elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then as=sudo; else \
	  echo "These Debian packages are missing; have an administrator run:"; echo "  apt-get update && $$install"; exit 1; fi; \
	echo "Installing Debian packages:$$missing"; mkdir -p $(BUILD); \
	{ $$as apt-get update && $$as env DEBIAN_FRONTEND=noninteractive $$install; } >$(BUILD)/packages.log 2>&1 </dev/null || { \
	  tail -n 20 $(BUILD)/packages.log; echo "Installing failed. By hand: apt-get update && $$install"; exit 1; }

install: all ## copy the program to $(PREFIX), below DESTDIR if given
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/exeunt
	install -m 755 exeunt $(DESTDIR)$(PREFIX)/bin/exeunt
	cp -r lua recipes datasets $(DESTDIR)$(PREFIX)/share/exeunt/

uninstall: ## remove what install copied
	rm -rf $(DESTDIR)$(PREFIX)/share/exeunt $(DESTDIR)$(PREFIX)/bin/exeunt

clean: ## remove everything that was built
	rm -rf build exeunt

help: ## this list
	@awk -F ': .*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# -- What a maintainer asks for ------------------------------------------------------------------------------

check: $(PROGRAM) $(CTESTS) ## build, run every test with what is installed
	@EXEUNT=$(abspath $(PROGRAM)) tests/check $(CTESTS) $(LTESTS)

asan: ## every test under AddressSanitizer, leaks included
	@TEST_SECONDS=1800 ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tests/support/leaks.supp:print_suppressions=0 \
	$(MAKE) --no-print-directory -j2 BUILD=build/asan CFLAGS="-O1 -g -fno-omit-frame-pointer" SANITIZE="-fsanitize=address" check

ubsan: ## every test under UndefinedBehaviorSanitizer
	@TEST_SECONDS=1800 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	$(MAKE) --no-print-directory -j2 BUILD=build/ubsan CFLAGS="-O1 -g" SANITIZE="-fsanitize=undefined -fno-sanitize-recover=all" check

tsan: ## every test under ThreadSanitizer
	@TEST_SECONDS=1800 TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 \
	$(MAKE) --no-print-directory -j2 BUILD=build/tsan CFLAGS="-O1 -g" SANITIZE="-fsanitize=thread" check

# Of the engine only what reads images: the kernels take half an hour under both sanitizers.
FUZZED := $(BUILD)/alone/image.t $(BUILD)/alone/decode.t
READERS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard core/io/*.c core/base/*.c core/tensor/*.c) tests/support/images.c tests/support/scratch.c)
$(BUILD)/alone/%.t: tests/core/io/%_test.c $(READERS)
	@mkdir -p $(@D)
	@echo "  CC   $<"
	$(Q)$(CC) $(ALLC) -o $@ $< $(READERS) -lcmocka $(LIBS)

fuzzed: $(FUZZED)
	@TEST_SECONDS=1800 prove --timer --ext .t --exec tests/run $(FUZZED)

fuzz: ## 10,000 damaged images under the sanitizers: decoded in the process itself, then through worker processes
	@EXEUNT_MUTANTS=10000 ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	$(MAKE) --no-print-directory -j2 BUILD=build/fuzz CFLAGS="-O1 -g -fno-omit-frame-pointer" \
	SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" fuzzed

# A block of the engine's allocator is known by the address after its header, which to valgrind is but possibly a pointer:
# what counts are blocks that nothing points into.
valgrind: $(CTESTS) ## every C test under valgrind, leaks included, with the kernels that it knows (no AVX-512)
	@TEST_SECONDS=3600 TEST_UNDER="valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --error-exitcode=9" prove -j2 --timer --ext .t --exec tests/run $(CTESTS)

lint: ## warnings as errors, clang-tidy (.clang-tidy), luacheck (.luacheckrc)
	@$(MAKE) --no-print-directory packages NEED="$(LINT_PACKAGES)"
	@$(MAKE) --no-print-directory -j2 lint-c
	luacheck -q lua tests $(wildcard recipes bench)

CLINT  := $(ENGINE) $(VM) $(wildcard tests/support/*.c) $(shell find tests -name '*_test.c')
lint-c: $(CLINT:%.c=$(BUILD)/lint/%) $(foreach i,$(ISAS),$(KERNEL:%.c=$(BUILD)/lint/%_$i))

# $(call lint,flags): both compilers' opinions of $<. What a target's existence says is that it passed.
define lint
	@mkdir -p $(@D)
	@echo "  LINT $< $1"
	$(Q)$(CC) $(FLAGS) -O2 $1 -Werror -c -o /dev/null $<
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(FLAGS) $1 2>$@.log || { cat $@.log; exit 1; }
	@touch $@
endef
define lint_isa_rule
$(BUILD)/lint/core/kernels/isa/%_$1: core/kernels/isa/%.c $(HEADERS) .clang-tidy
	$$(call lint,$$(ISA_$1) -DEX_ISA_SUFFIX=$1)
endef
$(foreach i,$(ISAS),$(eval $(call lint_isa_rule,$i)))
$(BUILD)/lint/%: %.c $(HEADERS) .clang-tidy | $(BUILD)/found
	$(call lint)
