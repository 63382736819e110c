# Everything a person or CI does with this repository. The tools are pinned in
# .ci/tools/go.mod and run through "go tool"; nothing is installed.

TOOL := go tool -modfile=.ci/tools/go.mod

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## serve the mock on 127.0.0.1:4747; flags in ARGS="..."
	@exec bin/understudy serve $(ARGS)

.PHONY: build
build: ## build bin/understudy, without cgo
	CGO_ENABLED=0 go build -trimpath -o bin/understudy ./cmd/understudy

.PHONY: test
test: ## run the tests, with Pact where the machine can
	go test -short ./...
	@.ci/pact -short

.PHONY: race
race: ## run them with the race detector, then those left out before
	go test -race -timeout 30m ./contracts/... ./mockserver/... ./testsuite/...
	go test -race -timeout 30m -short ./fixtures/... ./cmd/...
	go test -timeout 30m ./fixtures/... ./cmd/...

.PHONY: check
check: ## formatting, vet, linters, vulnerabilities, tidiness
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	CGO_ENABLED=0 go build ./...
	go vet ./...
	go vet -tags clients ./cmd/understudy ./contracts/export
	go vet -tags pact ./testsuite/pact/...
	go vet -tags redis,browser ./mockserver/... ./contracts/view
	go vet -tags peers ./testsuite
	go mod tidy -diff
	@! grep -rnE '\.\./share[d]|TO[D]O|FIX[M]E' --exclude='*.gz' --exclude='*.sum' --exclude=tap.golden --exclude-dir=.git --exclude-dir=bin --exclude-dir=node_modules .
	$(TOOL) golangci-lint run
	@$(MAKE) --no-print-directory vulncheck

.PHONY: vulncheck
vulncheck: ## look for known vulnerabilities in what is called
	@out=$$($(TOOL) govulncheck ./... 2>&1); code=$$?; case "$$code $$out" in \
	0*) echo "govulncheck: nothing that is called has a known vulnerability" ;; \
	*"fetching vulnerabilities"*) echo "govulncheck: NOT CHECKED, its database cannot be reached from here" ;; \
	*) echo "$$out"; exit 1 ;; \
	esac

.PHONY: bench
bench: ## run the Go benchmarks; the output suits benchstat
	go test -run '^$$' -bench . -skip '^Benchmark(HTTP|Memory|Large)$$' -benchmem -count $(or $(COUNT),1) ./...

.PHONY: bench-http
bench-http: ## measure the mock against a bare handler, memory, large bodies
	go test -run '^$$' -bench '^BenchmarkHTTP$$' -benchtime 20x ./cmd/understudy
	go test -run '^$$' -bench '^Benchmark(Memory|Large)$$' -benchtime 5x ./cmd/understudy

.PHONY: load
load: ## 1,000 clients for a minute while the configuration is edited
	go test -count 1 -v -run '^TestTheMockUnderLoad$$' ./cmd/understudy -load 60s

.PHONY: test-browser
test-browser: ## console, report and examples in Chromium (needs node)
	@command -v chromium > /dev/null || { echo "installing chromium"; \
	apt-get install -y chromium > /dev/null 2>&1 || { echo "install the package chromium first"; exit 1; }; }
	cd mockserver/examples && npm ci --no-audit --no-fund --loglevel=error
	cd contracts/view/vendor && npm ci --no-audit --no-fund --loglevel=error
	go test -tags browser -count 1 -run '^TestBrowser$$' ./mockserver
	go test -tags browser -count 1 -run '^Test(Console|Report|Modules|WhatIsVendored)' ./mockserver/console ./contracts/view

.PHONY: vendor-console
vendor-console: ## make contracts/view/preact.js again of its packages (needs npm)
	cd contracts/view/vendor && npm ci --no-audit --no-fund --loglevel=error && node build.mjs ..

.PHONY: test-redis
test-redis: ## the store against real servers (needs redis-server)
	@command -v redis-server > /dev/null || { echo "installing redis-server"; \
	apt-get install -y redis-server > /dev/null 2>&1 || { echo "install the package redis-server first"; exit 1; }; }
	go test -tags redis -count 1 ./mockserver/store ./mockserver

RUNS ?= 100000

.PHONY: model
model: ## hold the write budget against RUNS (100000) random servers
	go test -count 1 -v -run '^TestNoServerGetsMoreThanTheBudget$$' ./testsuite -runs $(RUNS)

.PHONY: test-formats
test-formats: ## have the tools read what generate writes (needs node, sqlite3, postgresql)
	@for package in sqlite3 postgresql; do \
	dpkg -s $$package > /dev/null 2>&1 || command -v $$package > /dev/null || { echo "installing $$package"; \
	apt-get install -y $$package > /dev/null 2>&1 || { echo "install the package $$package first"; exit 1; }; }; done
	go test -tags clients -count 1 -v -run '^Test(Newman|HTTPyac|Bruno|Vegeta|SQLite|PostgreSQL|Tables)$$' ./cmd/understudy

.PHONY: test-k6
test-k6: ## have k6 run its scripts (fetches and builds it)
	go test -tags clients -count 1 -v -run '^TestK6' ./cmd/understudy

.PHONY: test-pact
test-pact: ## verify every interaction with pact-go and the command pact (needs npm, cc)
	@mkdir -p .pact; PACT_REQUIRED=1 .ci/pact -count 1 -timeout 20m -v > .pact/test.log 2>&1; code=$$?; \
	grep -E '^(---|ok|FAIL|Pact:|    --- |.*(pact|pact-go|fail): [0-9])' .pact/test.log; exit $$code

.PHONY: test-exports
test-exports: ## have the tools read what contract export writes (needs node)
	cd contracts/export/judges && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	go test -tags clients -count 1 -v -run '^TestJudges$$' ./contracts/export

.PHONY: test-readers
test-readers: ## have other programs read TAP and HAR reports (needs node)
	go test -tags clients -count 1 -v -run '^TestReaders$$' ./cmd/understudy

.PHONY: test-peers
test-peers: ## verify servers of zod, Ajv, joi, Nest, Gin (needs node)
	cd testsuite/peers && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	cd testsuite/peers/gin-playground && go build
	@go test -tags peers -count 1 -v -run '^TestPeers$$' ./testsuite > testsuite/peers/test.log; code=$$?; \
	sed -n 's/^ *peers_test.go:[0-9]*: //p' testsuite/peers/test.log; \
	test $$code = 0 || { cat testsuite/peers/test.log; exit 1; }

.PHONY: mutants
mutants: ## print which finding catches each broken server
	@go test -count 1 -v -run '^TestEveryMutantIsCaught$$' ./testsuite | grep ' exit '

FUZZTIME ?= 60s

.PHONY: fuzz
fuzz: ## fuzz everything that reads foreign bytes, FUZZTIME (60s) each
	go test -run '^$$' -fuzz '^FuzzParse$$' -fuzztime $(FUZZTIME) ./contracts/helppage
	go test -run '^$$' -fuzz '^FuzzOpenAPI$$' -fuzzminimizetime 1x -fuzztime $(FUZZTIME) ./contracts/diff
	go test -run '^$$' -fuzz '^FuzzValues$$' -fuzztime $(FUZZTIME) ./contracts/webapi/dotnet
	go test -run '^$$' -fuzz '^FuzzJSON$$' -fuzztime $(FUZZTIME) ./contracts/webapi
	go test -run '^$$' -fuzz '^FuzzForm$$' -fuzztime $(FUZZTIME) ./contracts/webapi
	go test -run '^$$' -fuzz '^FuzzHeaders$$' -fuzztime $(FUZZTIME) ./contracts/webapi
	go test -run '^$$' -fuzz '^FuzzExpect$$' -fuzztime $(FUZZTIME) ./contracts/oracle
	go test -run '^$$' -fuzz '^FuzzRecorded$$' -fuzztime $(FUZZTIME) ./fixtures
	go test -run '^$$' -fuzz '^FuzzMend$$' -fuzztime $(FUZZTIME) ./fixtures
	go test -run '^$$' -fuzz '^FuzzFieldSpec$$' -fuzztime $(FUZZTIME) ./fixtures
	go test -run '^$$' -fuzz '^FuzzConfig$$' -fuzzminimizetime 1x -fuzztime $(FUZZTIME) ./mockserver
	go test -run '^$$' -fuzz '^FuzzResponse$$' -fuzztime $(FUZZTIME) ./testsuite
	go test -run '^$$' -fuzz '^FuzzBudget$$' -fuzztime $(FUZZTIME) ./testsuite
	go test -run '^$$' -fuzz '^FuzzKnown$$' -fuzztime $(FUZZTIME) ./testsuite
	go test -run '^$$' -fuzz '^FuzzRead$$' -fuzztime $(FUZZTIME) ./testsuite/report
