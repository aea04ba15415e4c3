# make demo runs the main job; make test passes the tests. Each does its own set-up.
GO      ?= go
TOOLS   := $(GO) tool -modfile=.ci/tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS := -X main.version=$(VERSION)
BIN     := bin/openledger
WEB     := coordinator/web/app

.PHONY: build demo test test-go test-contracts test-web test-long screenshots test-nodes fuzz lint bench bench-lora bench-train bench-llama slither coverage generate check-generated clean

build:
	$(GO) build -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/openledger

demo: build
	$(BIN) demo

test: test-contracts test-web test-go

test-go: $(WEB)/node_modules/.package-lock.json
	$(GO) test -timeout 14m ./...

# Node 20+ brings the Solidity compiler and forge.
test-contracts: contracts/node_modules/.package-lock.json
	cd contracts && npx forge test

# The web application's own tests; its pages are tested in a real browser by the Go tests.
test-web: $(WEB)/node_modules/.package-lock.json
	cd $(WEB) && npm run --silent check && npm run --silent test

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	cd $(WEB) && npm ci --no-fund --no-audit
	@touch $@

contracts/node_modules/.package-lock.json: contracts/package.json contracts/package-lock.json
	cd contracts && npm ci --no-fund --no-audit
	@touch $@

test-long: contracts/node_modules/.package-lock.json
	$(GO) test -tags long -race -timeout 60m ./...
	cd contracts && FOUNDRY_PROFILE=long npx forge test

# Pictures of every page for the docs, made by the tests of the pages.
screenshots: $(WEB)/node_modules/.package-lock.json
	SCREENSHOTS=1 $(GO) test -count=1 -run 'TestEveryPageOfTheWebApplication|TestTheStoryInABrowser|TestValidatorFromTheCommandLine' ./cmd/openledger

# The whole network on the embedded chain, on anvil and on geth, and the real clef.
test-nodes:
	GO=$(GO) .ci/nodes.sh

# Every fuzz target in turn, FUZZTIME each; FUZZ is a pattern of packages and targets.
FUZZ     ?= .
FUZZTIME ?= 2m
fuzz:
	GO=$(GO) FUZZTIME=$(FUZZTIME) .ci/fuzz.sh '$(FUZZ)'

lint: $(WEB)/node_modules/.package-lock.json
	$(GO) vet ./...
	$(TOOLS) golangci-lint run ./...
	cd $(WEB) && npm run --silent lint

bench:
	$(GO) test -run '^$$' -bench . -benchtime 2s ./worker/... ./scheduler/... ./store/... ./protocol/... ./coordinator/api ./cmd/openledger/node

# Many adapters on one base (docs/benchmarks.md): S-LoRA's workload on two shapes. Takes about an hour.
bench-lora:
	@mkdir -p bin
	$(GO) run ./worker/engine/lorabench/run -shape mid -json bin/bench-lora-mid.json
	$(GO) run ./worker/engine/lorabench/run -shape small -json bin/bench-lora-small.json

# One model against llama.cpp on the same GGUF files (docs/benchmarks.md says how to make them and llama-bench).
bench-llama:
	@mkdir -p bin
	$(GO) build -o bin/llamabench ./worker/engine/llamabench
	bin/llamabench -llama-bench "$(LLAMA_BENCH)" -json bin/bench-llama.json $(MODELS)

# LoRA training against PyTorch with PEFT (docs/benchmarks.md); PYTHON has torch, transformers and peft.
PYTHON ?= python3
bench-train:
	$(PYTHON) worker/finetune/bench/compare.py --go $(GO)

# Static analysis of the contracts (docs/security-review.md explains what it reports); SLITHER names the program.
SLITHER ?= slither
slither: contracts/node_modules/.package-lock.json
	cd contracts && PATH="$$PWD/node_modules/.bin:$$PATH" $(SLITHER) .

# Lines of contracts/src that the tests reach; fails below 95 %.
coverage: contracts/node_modules/.package-lock.json
	cd contracts && npx sh script/coverage.sh

generate: contracts/node_modules/.package-lock.json $(WEB)/node_modules/.package-lock.json
	$(GO) generate ./...

# Fails when committed generated code is not what its sources generate now.
check-generated: generate
	@git diff --exit-code --stat -- protocol/wire/pb contracts/bindings contracts/snapshots worker/engine/tensor coordinator/web sdk || \
	  { echo 'generated code is not current: run make generate and commit the result' >&2; exit 1; }
	cd contracts && npm run --silent snapshot

clean:
	rm -rf bin contracts/out contracts/cache
