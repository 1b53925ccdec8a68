# tsrunc. `make help` lists what there is to make.

SHELL := /bin/bash
MACHINE := $(shell uname -m)
# The engine without the instructions of the newest processors: it runs on all, and starts 0.5 ms faster.
BUN_ARCH := $(if $(filter aarch64 arm64,$(MACHINE)),aarch64,x64-baseline)
COMMIT := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
BUN := node_modules/@oven/bun-linux-$(BUN_ARCH)/bin/bun
# npm writes it last: newer than the lock file means that all is installed
PACKAGES := node_modules/.package-lock.json
VITEST := $(BUN) --bun node_modules/vitest/vitest.mjs run
# koffi's shared object, by its own path: an engine that is no snapshot loads it from beside itself
KOFFI_ARCH := $(if $(filter aarch64,$(BUN_ARCH)),arm64,x64)
KOFFI := node_modules/@koromix/koffi-linux-$(KOFFI_ARCH)/linux_$(KOFFI_ARCH)/koffi.node
# Compiled from schema/: the code imports them, so whatever runs or checks the code needs them.
VALIDATORS := src/config/generated/config.js
# Threads of the image program: entries of their own in the executable.
WORKERS := src/image/layer/extract-worker.ts
SOURCES := $(shell find src schema -type f -not -path 'src/config/generated/*')

PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR = $(DESTDIR)$(PREFIX)/lib/tsrunc
BINDIR = $(DESTDIR)$(PREFIX)/bin
BASH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISH_COMPLETIONS = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
MANUAL = $(DESTDIR)$(PREFIX)/share/man/man1
# The time of the sources, which what is packaged has instead of that of the build.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

# build: whether the engine is a snapshot of itself, started; without, it runs on processors that have less than this one, too
SNAPSHOT ?= $(if $(filter x86_64,$(MACHINE)),yes,no)
# Not empty where the caller asks for another than was made last; `make install` and others alone take what is there.
OTHER_SNAPSHOT := $(if $(filter command environment,$(origin SNAPSHOT)),$(filter-out $(SNAPSHOT),$(shell cat build/snapshot 2>/dev/null)))
# test-vm: what to run; VM_MACHINES, VM_CACHE and others: see test/vm
VM_TESTS ?= test/integration/machine
# test-arm64: which integration tests; all of them take hours where qemu computes the processor
ARM64_TESTS ?= $(addprefix test/integration/,run.test.ts lifecycle.test.ts exec.test.ts launcher.test.ts seal.test.ts process.test.ts \
	namespaces.test.ts mounts.test.ts rootfs.test.ts hooks.test.ts seccomp.test.ts terminal.test.ts update.test.ts rootless.test.ts \
	image-bundle.test.ts)
# soak: how many containers, and how many at a time
COUNT ?= 5000
JOBS ?= 4
# test-engines: some engines and workloads alone (a regular expression), or the short form
ENGINES ?=
WORKLOADS ?=
SHORT ?=
# bench, test-engines: table or json
FORMAT ?= table
# bench: all, runtimes or images
PART ?= all
# demo, test, bench: the busybox that becomes the containers' root filesystem
BUSYBOX ?=

# $(call write_whole,FROM,TO): copies an executable anew by one large write. The kernel then keeps it in huge pages, from which the
# engine starts 1 to 2 ms faster (Linux 6.16 on ext4; XFS and others before).
# Under another name at first: an engine may call the one that is there meanwhile.
write_whole = rm -f $(2).new && dd if=$(1) of=$(2).new bs=256M iflag=fullblock status=none && chmod 0755 $(2).new && mv -f $(2).new $(2)

# First in what makes something in this tree, with what it needs besides: one line where there is something in the way.
ready = make/ready.sh
# What was asked for, which that line begins with.
export GOAL ?= $(firstword $(MAKECMDGOALS))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-21s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# With the manual, so that `sudo make install` makes nothing as root in the user's tree.
# One at a time in a tree: the second waits, and finds all made. Where nothing is to be made nothing is written, so that anybody may call it.
build: ## compile dist/tsrunc, and what belongs beside it
	@$(MAKE) --no-print-directory --question built 2>/dev/null || { \
		$(ready) && mkdir -p build && \
		{ flock --nonblock build/.lock true || echo "build: waiting for another make in this tree"; } && \
		flock build/.lock $(MAKE) --no-print-directory built; }

built: dist/tsrunc dist/tsrunc-engine build/man/tsrunc.1

build-arm64: build/arm64/dist/tsrunc ## compile build/arm64/dist/tsrunc, and what belongs beside it, for aarch64, on any machine

demo: build build/busybox ## run a container from a new bundle in build/demo, and show what it sees
	@$(ready)
	@demo/run.sh dist/tsrunc build/busybox build/demo

# The conformance suite waits for containers most of its time, and needs no more of the machine than the unit tests leave.
test: build build/busybox ## lint, types, unit and integration tests; ends with the counts
	@$(ready)
	@rm -rf build/test
	@failed=; try() { $(MAKE) --no-print-directory $$1 || failed="$$failed $$1"; }; \
	$(MAKE) --no-print-directory conformance > build/conformance.out 2>&1 & \
	for step in lint types unit; do try $$step; done; \
	echo "conformance: has run beside these"; wait $$! || failed="$$failed conformance"; cat build/conformance.out; \
	try integration; \
	$(BUN) test/support/summary.ts $$failed

lint: $(PACKAGES) lint/layers.json ## check formatting, lint rules and the direction of imports
	@echo "lint: biome check"
	@node_modules/.bin/biome check --error-on-warnings .

format: $(PACKAGES) lint/layers.json ## rewrite the sources in the house's formatting
	@$(ready)
	@echo "format: biome check --write"
	@node_modules/.bin/biome check --write .

types: $(PACKAGES) $(VALIDATORS) ## check types
	@echo "types: tsc --noEmit"
	@node_modules/.bin/tsc --noEmit -p .

unit: $(PACKAGES) $(VALIDATORS) ## unit tests: no root needed
	@$(ready)
	@echo "unit: vitest, test/ without test/integration/"
	@$(VITEST) --project unit

integration: build build/busybox ## tests of dist/tsrunc with real containers: as root
	@$(ready)
	@echo "integration: vitest, test/integration/ on $${TSRUNC:-dist/tsrunc}"
	@$(VITEST) --project integration --no-file-parallelism

test-vm: build build/busybox ## tests that need systemd, cgroup v2 or AppArmor, in virtual machines of two Debian releases: as root
	@$(ready) root
	@test/vm/test.sh $(VM_TESTS)

test-arm64: build-arm64 ## the demo, unit tests and ARM64_TESTS in a machine of aarch64 that qemu computes: as root
	@$(ready) root
	@VM_TIMEOUT=$${VM_TIMEOUT:-14400} test/vm/run.sh --arm64 $(firstword $(VM_MACHINES) bookworm) test/vm/arm64.sh $(ARM64_TESTS)

dummies: build/busybox $(PACKAGES) $(VALIDATORS) ## show that no integration test passes on a runtime that does nothing: as root
	@$(ready) root
	@echo "dummies: vitest, test/integration/ on runtimes that do nothing"
	@$(BUN) test/support/dummies.ts

fuzz: build build/busybox $(VALIDATORS) ## feed mutated configurations, names and command lines to it (FUZZ_COUNT=, FUZZ_RUNS=, FUZZ_SEED=): as root
	@$(ready) root
	@$(BUN) test/fuzz/watch.ts

test-engines: build build/busybox ## workloads under Podman, Docker, containerd and others, beside runc (FORMAT=json, ENGINES=, WORKLOADS=, SHORT=yes): as root
	@$(ready) root
	@test/engines/packages.sh
	@$(BUN) test/engines/main.ts --format $(FORMAT) --engines "$(ENGINES)" --workloads "$(WORKLOADS)" $(if $(SHORT),--short)

conformance: build build/busybox ## how well dist/tsrunc keeps the spec (RUNTIMES="PATH PATH …" for others): as root
	@$(ready)
	@$(BUN) --bun conformance/run.ts $(foreach runtime,$(or $(RUNTIMES),dist/tsrunc),--runtime $(runtime)) \
		$(if $(RUNTIMES),,--deviations conformance/tsrunc.deviations.json)

conformance-mutants: build build/busybox ## prove the conformance checks: each of ninety broken runtimes is caught by one, and none passes under one that does nothing
	@$(ready) root
	@$(BUN) --bun conformance/mutants/run.ts

conformance-coverage: $(PACKAGES) ## write conformance/COVERAGE.md anew
	@$(ready)
	@$(BUN) --bun conformance/coverage.ts

bench: build build/busybox ## timings of tsrunc, runc and crun, umoci, podman and skopeo side by side (FORMAT=json, PART=images, RUNC=, CRUN=): as root
	@$(BUN) bench/bench.ts --format $(FORMAT) --part $(PART)
	@[ '$(FORMAT)' = json ] || [ '$(PART)' != all ] || $(BUN) bench/build.ts

soak: build build/busybox ## create, start and delete COUNT containers, JOBS at a time: as root
	@$(BUN) bench/soak.ts --count $(COUNT) --jobs $(JOBS)

install: build ## install below PREFIX (/usr/local), in DESTDIR if set
	@GOAL=$@ $(ready) directories $(LIBDIR) $(BINDIR) $(BASH_COMPLETIONS) $(ZSH_COMPLETIONS) $(FISH_COMPLETIONS) $(MANUAL)
	@echo "install: $(LIBDIR), $(BINDIR)/tsrunc"
	@install -d $(LIBDIR) $(BINDIR)
	@install -m 0755 dist/tsrunc $(LIBDIR)
	@$(call write_whole,dist/tsrunc-engine,$(LIBDIR)/tsrunc-engine)
	@install -m 0644 dist/koffi.node $(LIBDIR)
	@rm -f $(LIBDIR)/tsrunc-plain
	@[ ! -e dist/tsrunc-plain ] || install -m 0755 dist/tsrunc-plain $(LIBDIR)
	@ln -sfn ../lib/tsrunc/tsrunc $(BINDIR)/tsrunc
	@install_completion() { \
		if script=$$(dist/tsrunc completion $$1 2>/dev/null); then \
			install -d "$$(dirname "$$2")" && printf '%s\n' "$$script" > "$$2" && echo "install: $$2"; \
		else echo "install: no completion for $$1"; fi; }; \
	install_completion bash $(BASH_COMPLETIONS)/tsrunc; \
	install_completion zsh $(ZSH_COMPLETIONS)/_tsrunc; \
	install_completion fish $(FISH_COMPLETIONS)/tsrunc.fish
	@install -d $(MANUAL) && install -m 0644 build/man/*.1 $(MANUAL) && echo "install: $(MANUAL)/tsrunc*.1"

package: build ## a Debian package, npm packages and a tar.gz, with check sums and a bill of materials, in build/package
	@$(ready) room 500
	@rm -rf build/stage
	@$(MAKE) --no-print-directory install PREFIX=/usr DESTDIR=$(CURDIR)/build/stage >/dev/null
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(BUN) package/release.ts build/stage/usr build/modules.json build/package
	@rm -rf build/stage

test-packages: package build/busybox ## install the packages into clean trees of Debian, and run containers there: as root
	@$(ready) root
	@echo "test-packages: vitest, test/integration/packages.test.ts"
	@$(VITEST) --project integration test/integration/packages.test.ts

uninstall: ## remove what install put there
	@GOAL=$@ $(ready) directories $(LIBDIR) $(BINDIR) $(BASH_COMPLETIONS) $(ZSH_COMPLETIONS) $(FISH_COMPLETIONS) $(MANUAL)
	@echo "uninstall: $(LIBDIR), $(BINDIR)/tsrunc, completions, manual"
	@rm -rf $(LIBDIR)
	@rm -f $(BINDIR)/tsrunc $(BASH_COMPLETIONS)/tsrunc $(ZSH_COMPLETIONS)/_tsrunc $(FISH_COMPLETIONS)/tsrunc.fish $(MANUAL)/tsrunc.1 $(MANUAL)/tsrunc-*.1

clean: ## remove what was built; node_modules stays
	@$(ready)
	@echo "clean: dist, build"
	@rm -rf dist build $(dir $(VALIDATORS))

$(PACKAGES): package.json package-lock.json
	@$(ready) npm room 400
	@echo "node_modules: npm ci"
	@npm ci --no-audit --no-fund
	@$(ready) engine $(BUN)
	@touch $@

lint/layers.json: lint/layers.ts | $(PACKAGES)
	@$(ready)
	@echo "lint: $@"
	@$(BUN) $<

$(VALIDATORS): $(PACKAGES) $(shell find schema -type f)
	@$(ready)
	@echo "validators: $(@D) (ajv, from schema/)"
	@$(BUN) schema/compile.ts $(@D)

dist/tsrunc: dist/tsrunc-engine
	@$(ready)
	@echo "build: $@ (the launcher)"
	@$(BUN) src/engine/build.ts launcher $@ $<

# commander without the modules of Node that it imports for commands that are programs of their own, of which there are none: they
# take a millisecond to load, which is a quarter of what the plain engine takes for all the rest of a `state`.
build/commander/tsconfig.json: $(PACKAGES)
	@$(ready)
	@rm -rf $(@D) && mkdir -p build && cp -R node_modules/commander $(@D)
	@sed -i -E "s/require\('node:(child_process|fs|path)'\)/{}/" $(@D)/lib/command.js
	@echo '{ "extends": "../../tsconfig.json", "compilerOptions": { "paths": { "commander": ["./index.js"] } } }' > $@

# $(call compile,DIRECTORY,PROCESSOR,OPTIONS): what Bun makes of the sources, as DIRECTORY/compiled, for a processor by Node's name
# Packages that are no ES modules would be bundled with the name of their directory, here: by that, two directories would make two builds.
compile = $(BUN) build src/main.ts $(WORKERS) --tsconfig-override=build/commander/tsconfig.json --compile --bytecode --minify --format=esm --splitting --min-chunk-size=16384 \
	--define TSRUNC_COMPILED=true --define __dirname='"/"' --define __filename='"/"' --define process.arch='"$(2)"' --define TSRUNC_COMMIT='"$(COMMIT)"' \
	--no-compile-autoload-dotenv --no-compile-autoload-bunfig --metafile=$(1)/modules.json $(3) --outfile $(1)/compiled

dist/tsrunc-engine: build/commander/tsconfig.json $(PACKAGES) $(VALIDATORS) $(SOURCES) $(if $(OTHER_SNAPSHOT),other-snapshot)
	@$(ready) room 600
	@echo "build: $@ (bun build --compile)"
	@mkdir -p dist build
	@install -m 0644 $(KOFFI) build/koffi.node && install -m 0644 $(KOFFI) dist/koffi.node
	@$(call compile,build,$(if $(filter aarch64,$(BUN_ARCH)),arm64,x64))
	@$(BUN) src/engine/build.ts engine build/engine build/compiled
	@rm -f dist/tsrunc-plain; \
	if [ $(SNAPSHOT) != yes ]; then why="$(if $(filter x86_64,$(MACHINE)),SNAPSHOT=$(SNAPSHOT),only x86_64 has snapshots)"; \
	elif said=$$(timeout 300 $(BUN) src/engine/build.ts snapshot $@ build/engine 2>&1); then why=; \
	else why=$${said:-a snapshot took longer than five minutes}; fi; \
	if [ -z "$$why" ]; then \
		echo "build: $@ is a snapshot of the started engine, for processors with $$said; tsrunc-plain has it start anew on others"; \
		$(BUN) src/engine/build.ts plain-launcher dist/tsrunc-plain $@; \
	else \
		echo "build: $@ is a plain engine, which each command starts anew: $$why"; \
		$(call write_whole,build/engine,$@); \
	fi
	@rm -f build/compiled build/engine build/koffi.node
	@echo $(SNAPSHOT) > build/snapshot

# The packages of npm as an aarch64 machine has them: the engine and koffi for the executable, and what the tests need there.
build/arm64/node_modules/.package-lock.json: package.json package-lock.json
	@$(ready) npm room 400
	@echo "build/arm64/node_modules: npm ci --cpu=arm64"
	@mkdir -p $(@D) && cp package.json package-lock.json .npmrc build/arm64
	@cd build/arm64 && npm ci --os=linux --cpu=arm64 --libc=glibc --no-audit --no-fund
	@touch $@

build/arm64/dist/tsrunc: build/commander/tsconfig.json build/arm64/node_modules/.package-lock.json $(VALIDATORS) $(SOURCES)
	@$(ready) room 400
	@echo "build: $@ (for aarch64: a plain engine)"
	@mkdir -p $(@D)
	@install -m 0644 build/arm64/node_modules/@koromix/koffi-linux-arm64/linux_arm64/koffi.node $(@D)
	@$(call compile,build/arm64,arm64,--target=bun-linux-arm64 --compile-executable-path=build/arm64/node_modules/@oven/bun-linux-aarch64/bin/bun)
	@$(BUN) src/engine/build.ts engine $@-engine build/arm64/compiled
	@rm -f build/arm64/compiled
	@$(BUN) src/engine/build.ts launcher $@ $@-engine

build/man/tsrunc.1: $(PACKAGES) $(VALIDATORS) $(SOURCES) $(wildcard package/manual/*.ts)
	@$(ready)
	@echo "build: build/man (a page for each command)"
	@$(BUN) package/manual/write.ts build/man $(SOURCE_DATE_EPOCH)

build/busybox: demo/busybox.sh
	@$(ready)
	@BUSYBOX=$(BUSYBOX) demo/busybox.sh $@

.PHONY: other-snapshot help build built build-arm64 demo dummies fuzz test lint format types unit integration test-vm test-arm64 test-engines conformance conformance-mutants conformance-coverage bench soak install package test-packages uninstall clean
