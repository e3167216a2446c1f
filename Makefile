# Every target installs what it needs: Node.js and the CDK CLI as pinned in package-lock.json, Go modules as pinned in
# go.sum, Trino and DynamoDB Local as pinned in their pom.xml, tools as pinned below. Nothing is installed outside this folder
# but in the tools' own caches.

GOLANGCI_LINT := v2.15.0

# Whose configuration make outputs writes: web or mobile.
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
synth: node_modules ## Write the cloud assembly of every environment to cdk.out, checked by AWS's validator; what all of them leave off is checked too
	rm -rf cdk.out
	cdk synth --quiet --strict
	go run ./test/assembly/check cdk.out
	cdk synth --quiet --strict --app 'go run ./test/complete' --output cdk.out/complete
	go run ./test/assembly/check cdk.out/complete

.PHONY: test
test: node_modules web/node_modules bench/sharp/node_modules bench/powertools/node_modules internal/testing/athenatest/lib internal/testing/dynamodbtest/lib internal/testing/gatewaytest/lib ## Run all tests; TEST_MYSQL_DSN and TEST_MYSQL_CA name a MySQL server to use instead of the embedded one, TEST_DYNAMODB_ENDPOINT one of DynamoDB Local
	CGO_ENABLED=0 go test ./... # as functions are built, so that both share what is compiled

.PHONY: golden
golden: node_modules web/node_modules ## Rewrite the golden templates, docs/openapi.json, the web client's types and the README's picture; review the diff before you commit it
	go test ./test -run 'Golden|Picture' -update
	go test ./internal/api/openapi -update
	npm --prefix web run generate

.PHONY: lint
lint: .bin/golangci-lint-$(GOLANGCI_LINT) ## Check the code, and that imports run one way
	$< run ./...
	cd internal/testing/s3test/gateway && '$(CURDIR)/$<' run --config '$(CURDIR)/.golangci.yml' ./... # a module of its own

.PHONY: diff
diff: node_modules environment ## Show what deploying environment ENV would change
	cdk diff '$(ENV)/*'

.PHONY: deploy
deploy: node_modules environment ## Deploy environment ENV; Dev goes wherever your AWS credentials point
	cdk deploy '$(ENV)/*'

.PHONY: outputs
outputs: environment ## Write amplify_outputs.json for the web client of ENV, or for the mobile app's: CLIENT=mobile
	go run ./cmd/outputs -client '$(CLIENT)' '$(ENV)'

.PHONY: redrive
redrive: environment ## List the dead-letter queues of ENV, or have the messages of one come again: QUEUE=Welcome
	go run ./cmd/redrive $(if $(QUEUE),-queue '$(QUEUE)') '$(ENV)'

.PHONY: replay
replay: environment ## Put the readings that arrived in ENV on a day through the transform again: DAY=2026-11-20
	go run ./cmd/replay -day '$(DAY)' '$(ENV)'

.PHONY: destroy
destroy: node_modules environment ## Delete environment ENV with its data; refused unless it is disposable
	cdk destroy '$(ENV)/*'

.PHONY: environment
environment:
	@[ -n '$(ENV)' ] || { echo 'make: which environment? Say ENV= and a name in environments/environment.go, such as ENV=Dev' >&2; exit 2; }

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
	@command -v mvn >/dev/null || { echo 'make: tests run Trino; install Java 17 and Maven, which fetches it' >&2; exit 2; }
	rm -rf $@ # lest it has two versions
	mvn -q -B -f internal/testing/athenatest package
	touch $@

internal/testing/dynamodbtest/lib: internal/testing/dynamodbtest/pom.xml
	@command -v mvn >/dev/null || { echo 'make: tests run DynamoDB Local; install Java 17 and Maven, which fetches it' >&2; exit 2; }
	rm -rf $@ # lest it has two versions
	mvn -q -B -f internal/testing/dynamodbtest dependency:copy-dependencies
	touch $@

internal/testing/gatewaytest/lib: internal/testing/gatewaytest/pom.xml
	@command -v mvn >/dev/null || { echo 'make: tests render mapping templates by Apache Velocity; install Java 17, with its compiler, and Maven, which fetches it' >&2; exit 2; }
	rm -rf $@ # lest it has two versions
	mvn -q -B -f internal/testing/gatewaytest dependency:copy-dependencies
	touch $@

.bin/golangci-lint-$(GOLANGCI_LINT):
	GOBIN='$(CURDIR)/.bin' go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv .bin/golangci-lint $@
