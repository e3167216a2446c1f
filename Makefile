# Every target installs what it needs: Node.js and the CDK CLI as pinned in package-lock.json, Go
# modules as pinned in go.sum, Trino and DynamoDB Local as pinned in their pom.xml, tools as pinned
# below. Everything is installed in this folder or in the tools' own caches.

GOLANGCI_LINT := v2.15.0

# The client that make outputs writes the configuration for: web or mobile.
CLIENT := web

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true

.PHONY: help
help: ## List the targets
	@awk -F ': .*## ' '/^[a-z-]+: .*## /{printf "  make %-22s %s\n", $$1 substr(" ENV=…", 1, $$2 ~ /ENV/ ? 6 : 0), $$2}' Makefile

.PHONY: synth
synth: node_modules ## Synthesize every environment to cdk.out and validate the templates, with optional features as well
	rm -rf cdk.out
	cdk synth --quiet --strict
	go run ./test/assembly/check cdk.out
	cdk synth --quiet --strict --app 'go run ./test/complete' --output cdk.out/complete
	go run ./test/assembly/check cdk.out/complete

.PHONY: test
test: othermodule node_modules web/node_modules bench/sharp/node_modules bench/powertools/node_modules internal/testing/athenatest/lib internal/testing/dynamodbtest/lib internal/testing/gatewaytest/lib ## Run all tests; TEST_MYSQL_DSN and TEST_MYSQL_CA select another MySQL server, TEST_DYNAMODB_ENDPOINT another DynamoDB Local
	@# As functions are built, to share the build cache. The CDK's validation takes longer than the rest of a synth: othermodule and synth run it.
	CGO_ENABLED=0 CDK_VALIDATION=false go test $$(go list ./... | grep -v /test/othermodule)

.PHONY: othermodule
othermodule: node_modules ## Synthesize the constructs' examples, and examples/, as other modules out of the module cache
	CGO_ENABLED=0 go test -v ./test/othermodule

.PHONY: golden
golden: node_modules web/node_modules ## Regenerate the golden templates, the snapshots of the public API, docs/openapi.json, the web client's types and the README's diagram; review the diff
	go test ./test -run 'Golden|Readme' -update
	CGO_ENABLED=0 go test ./test/api -update
	CGO_ENABLED=0 go test ./test/othermodule -run Examples -update
	go test ./internal/api/openapi -update
	npm --prefix web run generate

.PHONY: lint
lint: .bin/golangci-lint-$(GOLANGCI_LINT) ## Run the linters, including the rules for imports
	$< run ./...
	cd internal/testing/s3test/gateway && '$(CURDIR)/$<' run --config '$(CURDIR)/.golangci.yml' ./... # a separate module

.PHONY: diff
diff: environment node_modules ## Show the changes that a deployment of ENV would make
	cdk diff '$(ENV)/*'

.PHONY: deploy
deploy: environment node_modules ## Deploy environment ENV; Dev to the account and region of your AWS credentials
	cdk deploy '$(ENV)/*'

.PHONY: outputs
outputs: environment ## Write amplify_outputs.json for the web client of ENV, or the mobile client: CLIENT=mobile
	go run ./cmd/outputs -client '$(CLIENT)' '$(ENV)'

.PHONY: redrive
redrive: environment ## List the dead-letter queues of ENV, or redrive one: QUEUE=Welcome
	go run ./cmd/redrive $(if $(QUEUE),-queue '$(QUEUE)') '$(ENV)'

.PHONY: replay
replay: environment ## Replay the telemetry that arrived in ENV on a day: DAY=2026-11-20
	go run ./cmd/replay -day '$(DAY)' '$(ENV)'

.PHONY: destroy
destroy: environment node_modules ## Delete environment ENV and its data, if it is disposable
	cdk destroy '$(ENV)/*'

.PHONY: environment
environment:
	@[ -n '$(ENV)' ] || { echo 'make: ENV is required; set it to an environment in environments/environment.go, such as ENV=Dev' >&2; exit 2; }

node_modules: package.json package-lock.json
	npm ci --no-fund --no-audit
	touch node_modules

web/node_modules: web/package.json web/package-lock.json
	npm ci --prefix web --no-fund --no-audit
	touch web/node_modules

bench/sharp/node_modules: bench/sharp/package.json bench/sharp/package-lock.json
	npm ci --prefix bench/sharp --no-fund --no-audit
	touch bench/sharp/node_modules

bench/powertools/node_modules: bench/powertools/package.json bench/powertools/package-lock.json
	npm ci --prefix bench/powertools --no-fund --no-audit
	touch bench/powertools/node_modules

internal/testing/athenatest/lib: internal/testing/athenatest/pom.xml
	@command -v mvn >/dev/null || { echo 'make: the tests need Trino; install Java 17 and Maven, which downloads it' >&2; exit 2; }
	rm -rf $@ # to remove old versions
	mvn -q -B -f internal/testing/athenatest package
	touch $@

internal/testing/dynamodbtest/lib: internal/testing/dynamodbtest/pom.xml
	@command -v mvn >/dev/null || { echo 'make: the tests need DynamoDB Local; install Java 17 and Maven, which downloads it' >&2; exit 2; }
	rm -rf $@ # to remove old versions
	mvn -q -B -f internal/testing/dynamodbtest dependency:copy-dependencies
	touch $@

internal/testing/gatewaytest/lib: internal/testing/gatewaytest/pom.xml
	@command -v mvn >/dev/null || { echo 'make: the tests need Apache Velocity; install the Java 17 JDK and Maven, which downloads it' >&2; exit 2; }
	rm -rf $@ # to remove old versions
	mvn -q -B -f internal/testing/gatewaytest dependency:copy-dependencies
	touch $@

.bin/golangci-lint-$(GOLANGCI_LINT):
	GOBIN='$(CURDIR)/.bin' go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv .bin/golangci-lint $@
