# The targets are a contract: packages, tests and other people's scripts rely on them. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
ONCE ?= 0
SCALE ?= 1
ONLY ?=
LAB ?= 1
CARGO ?= cargo
NEXTEST_PROFILE := $(if $(CI),ci,default)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: ## build, start, run the shop minute, stay up; ONCE=1 stops after it
	$(CARGO) build --locked --workspace --bins
	exec $(CARGO) run --locked --quiet -p system-tests --bin shop-demo -- $(if $(filter 1,$(ONCE)),--once)

.PHONY: test
test: tools lint ## what CI runs; LAB=0 leaves out the virtual machine
	$(CARGO) build --locked --workspace --bins
	$(CARGO) nextest run --locked --workspace --profile $(NEXTEST_PROFILE)
	tests/browser/run.sh
	$(if $(filter 0,$(LAB)),,tests/lab/run.sh)

.PHONY: lint
lint: ## formatting, clippy, licences and bans
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) deny --locked --log-level error check bans licenses sources

.PHONY: tools
tools:
	@tests/install-tools.sh

.PHONY: bench
bench: ## one BENCH line a figure, against peers; ONLY=word picks
	@tests/install-tools.sh bench
	$(CARGO) build --locked --release --workspace --bins
	$(CARGO) run --locked --release --quiet -p system-tests --bin bench -- $(if $(ONLY),--only $(ONLY))

.PHONY: lab
lab: ## USB devices of a real kernel, in a virtual machine
	@tests/install-tools.sh lab
	$(CARGO) build --locked -p iot-box -p system-tests --bin iot-box --bin lab-guest
	tests/lab/run.sh

.PHONY: soak
soak: tools ## the long rest: 10,000 cuts, 200 kills
	OUTBOX_CUTS=$$((10000 * $(SCALE))) OUTBOX_KILLS=$$((200 * $(SCALE))) \
	    $(CARGO) nextest run --locked --release -p cloud-link --no-fail-fast
