SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Pinned, and run from the module proxy without a line in go.mod: its dependencies are not the program's. golangci-lint was tried and
# left: five minutes to build on two cores for the checks that staticcheck, vet and the import test already are.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help run build test simulation bench-webhook bench-pages generate check-generated check-format fmt lint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## serve, with everything that is not configured standing in by itself
	go run ./cmd/usher

build: ## build the program into .build/usher
	CGO_ENABLED=0 go build -trimpath -o .build/usher ./cmd/usher

test: node_modules/.package-lock.json ## run every test, the browser's included; installs what they need
	@.ci/install
	go vet ./...
	CHROMIUM="$$(.ci/install --chromium)" go test -race -timeout 14m ./...
	go run ./cmd/simulation -histories 200 -batch 50 -kills 3 -crashes 1 -shards 2 -seed 11

simulation: ## play 10,000 random histories and verify that state converges; takes up to 40 minutes
	go run ./cmd/simulation -v

bench-webhook: build ## measure webhooks beside a pgbench transaction
	go run ./cmd/bench -usher .build/usher

bench-pages: build ## measure the billing tab beside a bare handler
	go run ./cmd/bench -usher .build/usher -pages

# templ turns views/**/*.templ into Go, Tailwind turns the classes in them into static/usher.css. Both results are committed.
generate: node_modules/.package-lock.json ## generate views and styles
	go tool templ generate -path views
	npm run --silent build

# Not npm ci: it refuses a lock file that lacks the optional binary of any platform, and ours names only Linux's. The versions are
# exact in package.json and checked against the lock file's hashes either way.
node_modules/.package-lock.json: package.json package-lock.json
	npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

check-generated: ## fail where a generated file is not what its source makes
	@.ci/fresh

check-format: ## fail where a Go file is not formatted
	@unformatted="$$(gofmt -l billing cmd db handlers static stripelocal views)"; \
	if [ -n "$$unformatted" ]; then echo "Not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi

fmt: ## format Go and templ files
	gofmt -w billing cmd db handlers static stripelocal views
	go tool templ fmt views

lint: check-format ## format, vet, staticcheck
	go vet ./...
	go run $(STATICCHECK) ./...
