# The targets are a contract: packages, tests and other people's scripts rely on them. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
ONCE ?= 0
SCALE ?= 1
ONLY ?=
EVENTS ?= 2000
POSTGRES ?= required
LAB ?= 1
CARGO ?= cargo
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),$(CURDIR)/target)
NEXTEST_PROFILE := $(if $(CI),ci,default)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: checkout
checkout:
	@mkdir -p "$(TARGET)"
	@# Tests look for their files where they were compiled, and cargo cannot tell two checkouts in one cache apart.
	@[ "$$(cat "$(TARGET)/.checkout" 2>/dev/null)" = "$(CURDIR)" ] || { \
		$(CARGO) clean --locked --quiet --workspace && echo "$(CURDIR)" > "$(TARGET)/.checkout"; }

.PHONY: demo
demo: checkout ## build, start, run the shop minute, stay up; ONCE=1 stops after it
	$(CARGO) build --locked --workspace --bins
	exec $(CARGO) run --locked --quiet -p system-tests --bin shop-demo -- $(if $(filter 1,$(ONCE)),--once)

.PHONY: test
test: tools checkout lint ## what CI runs; LAB=0 leaves out the virtual machine
	$(CARGO) build --locked --workspace --bins
	ERP_TEST_POSTGRES=$(POSTGRES) $(CARGO) nextest run --locked --workspace --profile $(NEXTEST_PROFILE)
	$(CARGO) run --locked --quiet -p system-tests --bin chaos -- --events $(EVENTS)
	tests/conformance/run.sh
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
bench: checkout ## one BENCH line a figure, against peers; ONLY=word picks
	@tests/install-tools.sh bench
	$(CARGO) build --locked --release --workspace --bins
	$(CARGO) build --locked --profile box -p iot-box
	IOT_BOX=$(TARGET)/box/iot-box $(CARGO) run --locked --release --quiet -p system-tests --bin bench -- $(if $(ONLY),--only $(ONLY))
	$(if $(ONLY),,$(CARGO) bench --locked --quiet -p erp-engine --bench ingest)

.PHONY: lab
lab: checkout ## USB devices of a real kernel, in a virtual machine
	@tests/install-tools.sh lab
	$(CARGO) build --locked -p iot-box -p system-tests --bin iot-box --bin lab-guest
	tests/lab/run.sh

.PHONY: chaos
chaos: checkout ## a day of scans with kills and outages; EVENTS=n
	$(CARGO) build --locked --workspace --bins
	$(CARGO) run --locked --quiet -p system-tests --bin chaos -- --events $(EVENTS)

.PHONY: soak
soak: tools ## the long rest: 10,000 cuts of the outbox and of printers, 200 kills, 100,000 contacts
	OUTBOX_CUTS=$$((10000 * $(SCALE))) OUTBOX_KILLS=$$((200 * $(SCALE))) PROPTEST_CASES=$$((2000 * $(SCALE))) \
	ERP_IMPORT_ROWS=$$((100000 * $(SCALE))) \
	    $(CARGO) nextest run --locked --profile soak -p cloud-link -p erp-engine -p erp-exchange -p erp-apps --no-fail-fast
	$(CARGO) build --locked --workspace --bins
	PRINT_CUTS=$$((10000 * $(SCALE))) \
	    $(CARGO) nextest run --locked --profile soak -p system-tests -E 'test(random_cuts)'
	$(MAKE) chaos EVENTS=$$((20000 * $(SCALE)))
