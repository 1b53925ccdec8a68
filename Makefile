BUN_ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),aarch64,x64)
KOFFI_ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x64)
BUN := node_modules/@oven/bun-linux-$(BUN_ARCH)/bin/bun
SOURCES := $(shell find src schema -type f)

build: dist/tsrunc

node_modules: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch node_modules

dist/tsrunc: node_modules $(SOURCES)
	$(BUN) build src/main.ts --compile --bytecode --minify --define TSRUNC_COMPILED=true \
		--no-compile-autoload-dotenv --no-compile-autoload-bunfig --compile-jit-policy=100000 \
		--outfile $@
	cp node_modules/@koromix/koffi-linux-$(KOFFI_ARCH)/linux_$(KOFFI_ARCH)/koffi.node dist/koffi.node

.PHONY: build
