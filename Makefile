# Every developer's commands. `make test` is the one that decides.

GO      ?= go
TOOL     = $(GO) tool -modfile=tools/go.mod
RACE    ?=
TIMEOUT ?= 20m
PKGS    ?= ./...

.PHONY: all build test lint fuzz examples clean

all: build lint test

build: ## the binary
	$(GO) build -o build/spine ./cmd/spine

test: ## every test; the report is build/test.json, RACE=1 adds the race detector
	@mkdir -p build
	$(TOOL) gotestsum --format pkgname-and-test-fails --hide-summary=skipped --jsonfile build/test.json -- $(if $(RACE),-race) -timeout $(TIMEOUT) $(PKGS)

lint: ## vet, staticcheck and the formatting
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }

FUZZTIME ?= 20s
fuzz: ## each fuzz target for FUZZTIME
	@$(GO) list ./... | while read -r p; do \
	  $(GO) test -list '^Fuzz' $$p | grep '^Fuzz' | while read -r f; do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done || exit 1; done

examples: ## the commented example configurations in docs/config
	$(GO) run ./cmd/spine config write docs/config

clean:
	rm -rf build
