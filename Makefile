# What a developer calls. Every target here only calls a preset (CMakePresets.json) with the compiler that
# tools/choose_compiler.sh chooses, after tools/bootstrap.sh has installed what is missing.
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
SHELL := /bin/bash

# $(call build,PRESET,NEEDS,BUILD TARGET). CMake may call a make of its own, which is to know nothing of this one: it has
# its own number of jobs.
define build
@tools/bootstrap.sh build $(2)
@tools/configure.sh $(1) $(if $(filter all,$(3)),-DCORDAGE_BUILD_TESTS=ON)
@env -u MAKEFLAGS -u MAKELEVEL cmake --build --preset $(1) --target $(3) --parallel $(JOBS)
endef

.PHONY: all echo test report test-asan test-tsan test-gcc test-flags test-platforms test-long test-dev bench format clean help
.NOTPARALLEL:

all: ## build the library, the examples and the benchmarks into build/release (the default)
	$(call build,release,,cordage_programs)

STYLE ?= task
echo: ## build, then run the echo server until Ctrl-C; STYLE=fiber for the other style
	$(call build,release,,cordage_programs)
	@set -o pipefail; build/release/examples/echo_server --port 7007 --style $(STYLE) | (trap '' INT TERM; \
	  while IFS= read -r line; do echo "$$line"; [[ $$line != listening* ]] || printf '%s\n' \
	    "Until Ctrl-C. In another terminal, type this and then a line:" "    nc 127.0.0.1 7007"; done)

test: build-release ## build everything and run all tests
	@ctest --preset release --output-junit tests.xml

report: ## run the tests, then print what to report of a platform that has none of ours: a Mac, an ARM board
	@tools/report.sh

test-asan: build-asan ## run the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@ctest --preset asan

test-tsan: build-tsan ## run the tests under ThreadSanitizer
	@ctest --preset tsan

test-gcc: build-gcc ## run the tests as compiled by g++
	@ctest --preset gcc --output-junit tests.xml

test-flags: ## run the tests of what switches stacks as compiled with other flags
	@tools/bootstrap.sh build test gcc flags
	@tools/test_flags.sh

test-long: build-release ## run what takes long or much memory: a million fibers, every flag, valgrind
	@tools/bootstrap.sh build test gcc flags bench
	@ctest --preset long
	@tools/test_flags.sh --all

test-platforms: ## build and test for other machines, in emulators; PLATFORMS=--all for all of it, see tools/test_platforms.py
	@tools/bootstrap.sh build platforms $(if $(filter --all,$(PLATFORMS)),kernel)
	@tools/test_platforms.py $(PLATFORMS)

test-dev: build-dev ## run the tests of a debug build
	@ctest --preset dev

# What `make test…` builds, for those who want to build and not test.
.PHONY: build-release build-asan build-tsan build-gcc build-dev
build-release:
	@rm -f build/release/tests.xml
	$(call build,release,test,all)
build-asan:
	$(call build,asan,test asan,all)
build-tsan:
	$(call build,tsan,test tsan,all)
build-gcc:
	@rm -f build/gcc/tests.xml
	$(call build,gcc,test gcc,all)
build-dev:
	$(call build,dev,test,all)

bench: ## build, then run every benchmark in turn
	$(call build,release,bench,cordage_programs)
	@missed=0; for program in build/release/bench/*_bench; do echo "== $$program"; $$program || missed=1; done; exit $$missed

format: ## lay out the sources as .clang-format says
	@tools/bootstrap.sh format
	@find include src tests examples bench -name '*.[ch]' -o -name '*.[ch]pp' | xargs clang-format -i

clean: ## remove everything that was built
	rm -rf build

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "  make %-14s %s\n", $$1, $$2 }'
