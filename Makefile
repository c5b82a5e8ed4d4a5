# Two commands for everybody: `make demo` (hear it) and `make test` (trust it). The rest is for those who work on it.
#   PYTHON=/path/to/python3.12   which interpreter .venv is made with (3.11 or newer)
#   RUNTIME=cuda                 ONNX Runtime's GPU build instead of the CPU one
#   ROOM_TIMES=20                how often `make room` runs;  SOAK_SECONDS=86400 how long `make soak` does;
#   SOAK_ARGS=--short            more words for it: with SOAK_SECONDS=60, all but the slope of the memory
#   DEMO_ARGS='--link lan'       more words for `gateway demo`;  PYTEST_ARGS='-k packet' for pytest, on TEST_WORKERS=2 processes
#   BENCH_ARGS='--model DIR'     more words for `make bench-qwen3`: the released weights, for one
#   WIRE_ARGS='--seconds 120'    more words for `make bench-wire`
#   FAULTS_ROWS=loss-20,broker-kill  some rows of `make faults`;  FAULTS_SEEDS=3 how often each;  FAULTS_JOBS=2 side by side
#   FAULTS_ARGS=--long           its rows of ten and twenty minutes, too
#   FAULTS_PEERS=naive,snapcast  which of those compared `make faults-peers` plays its rows to
#   SPEECH=DIR                   which recordings `make quality` scores on;  QUALITY_ARGS='--layers 4,16' more words for it
#   FUZZ_CASES=1000000           how many cases `make fuzz` makes;  FUZZ_SEED=2 for others;  FUZZ_ARGS='--parser packet' for one parser
#   LISTEN_ARGS='--port 9000'    more words for `make listen`

SHELL := /bin/bash
VENV ?= .venv
RUNTIME ?= cpu
DEMO_OUT ?= voxwire-demo
DEMO_ARGS ?=
PYTEST_ARGS ?=
# Most of the suite waits: two processes take little more than half the time of one. A file stays with one of them, for
# what its tests share.
TEST_WORKERS ?= 2
BENCH_ARGS ?=
WIRE_ARGS ?=
SPEECH ?=
QUALITY_ARGS ?=
LISTEN_ARGS ?=
ROOM_TIMES ?= 1
FUZZ_CASES ?= 1000000
FUZZ_SEED ?= 1
FUZZ_ARGS ?=
SOAK_SECONDS ?= 3600
SOAK_ARGS ?=
FAULTS_ROWS ?=
FAULTS_SEEDS ?= 1
FAULTS_JOBS ?= 2
FAULTS_PEERS ?=
FAULTS_ARGS ?=
BIN := $(VENV)/bin
export VENV

# The codecs that ours is compared with.
CODEC_PACKAGES := opus-tools codec2 speex
# Snapcast, which the fault matrix is also played to.
PEER_PACKAGES := snapserver snapclient
# Brokers to test against, the sound library, and a sound card that needs no hardware.
TEST_PACKAGES := mosquitto iproute2 libportaudio2 pulseaudio pulseaudio-utils libasound2-plugins $(CODEC_PACKAGES) $(PEER_PACKAGES)
INSTALL_INPUTS := pyproject.toml constraints.txt scripts/venv.sh

.DEFAULT_GOAL := help
.PHONY: help demo test lint check bench bench-wire bench-qwen3 quality listen room soak faults faults-peers storm fuzz oracle oracle-environment system-packages clean clean-venv

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null || grep '## ' $(MAKEFILE_LIST)

demo: $(VENV)/.installed-demo ## speech -> tokens -> MQTT broker -> speech, on this machine, without torch
	$(BIN)/gateway demo --out $(DEMO_OUT) $(DEMO_ARGS)

test: system-packages $(VENV)/.installed-dev oracle-environment ## everything: lint, types, import contracts, the whole suite
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint ## lint, and the tests that take a second
	$(BIN)/python -m pytest -m "not slow and not broker and not audio and not gpu" $(PYTEST_ARGS)

bench: system-packages $(VENV)/.installed-dev ## the figures of docs/benchmarks.md, on an idle machine
	scripts/bench.sh

bench-wire: system-packages $(VENV)/.installed-dev ## what PCM, Opus, Codec2 and ours put on the wire: table, plot, JSON; ten minutes
	$(BIN)/python -m benchmarks.wire --plot docs/images/wire.png --out docs/reports/wire.json $(WIRE_ARGS)

quality: $(VENV)/.installed-compare ## our codec beside Opus, Codec2 and Speex on the same speech: table, plot and JSON
	@scripts/debian-packages.sh $(CODEC_PACKAGES) || true
	$(BIN)/python -m benchmarks.quality $(if $(SPEECH),--speech $(SPEECH)) --plot docs/images/quality.png $(QUALITY_ARGS)

listen: $(VENV)/.installed-dev ## a blind comparison in a browser; the answers are kept as lines of JSON
	$(BIN)/python -m benchmarks.listening serve $(LISTEN_ARGS)

fuzz: $(VENV)/.installed-dev ## a million hostile cases over every parser of what comes from outside: a table, and what escaped
	@$(BIN)/python -m tests.fuzz --cases $(FUZZ_CASES) --seed $(FUZZ_SEED) $(FUZZ_ARGS)

room: system-packages $(VENV)/.installed-dev ## speech into a virtual microphone, out of a virtual loudspeaker, ROOM_TIMES times
	@set -e; for turn in $$(seq $(ROOM_TIMES)); do echo "==> $$turn of $(ROOM_TIMES)"; \
	    $(BIN)/python -m pytest tests/integration/room $(PYTEST_ARGS); done

soak: system-packages $(VENV)/.installed-dev ## an hour of it: fails where memory, threads or descriptors grow, or anything is lost
	$(BIN)/python -m benchmarks.soak --seconds $(SOAK_SECONDS) $(SOAK_ARGS)

faults: system-packages $(VENV)/.installed-dev ## bad links and dying processes: what goes on, and what is back when; a quarter of an hour
	@FAULTS_ROWS='$(FAULTS_ROWS)' FAULTS_SEEDS='$(FAULTS_SEEDS)' FAULTS_JOBS='$(FAULTS_JOBS)' \
	    $(BIN)/python -m tests.faults $(FAULTS_ARGS)

faults-peers: system-packages $(VENV)/.installed-dev ## the same faults done to ours, to the obvious script and to Snapcast; half an hour
	@FAULTS_ROWS='$(FAULTS_ROWS)' FAULTS_PEERS='$(FAULTS_PEERS)' FAULTS_JOBS='$(FAULTS_JOBS)' $(BIN)/python -m tests.faults.peers

storm: system-packages $(VENV)/.installed-dev ## a broker that dies under five hundred players: when all are back
	$(BIN)/python -m tests.faults.storm

oracle: $(VENV)-oracle/.installed ## our Qwen3 tokenizer against the official package, the long form: ten minutes on one core
	$(BIN)/python -m pytest tests/oracle --full --report docs/reports/qwen3-oracle.json -s $(PYTEST_ARGS)

bench-qwen3: $(VENV)-oracle/.installed ## the same two side by side on one core: time a step and memory, torch and ONNX
	$(BIN)/python -m benchmarks.qwen3 $(BENCH_ARGS)

# Without it the tests against the official package are skipped, and say so; where CI=true they fail.
oracle-environment: $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory $(VENV)-oracle/.installed || true

system-packages:
	@scripts/debian-packages.sh $(TEST_PACKAGES) || true

$(VENV)/.installed-demo: $(INSTALL_INPUTS)
	@scripts/venv.sh $(RUNTIME),demo
	@touch $@

# dev holds all that demo needs.
$(VENV)/.installed-dev: $(INSTALL_INPUTS)
	@scripts/venv.sh $(RUNTIME),dev
	@touch $@ $(VENV)/.installed-demo

# PESQ and the speaker score: they are built from source, which nothing else here is.
$(VENV)/.installed-compare: $(INSTALL_INPUTS)
	@scripts/venv.sh $(RUNTIME),dev,compare
	@touch $@ $(VENV)/.installed-demo $(VENV)/.installed-dev

# Not made again with each new .venv: it reads that one's packages in place.
$(VENV)-oracle/.installed: scripts/oracle.sh scripts/oracle.txt | $(VENV)/.installed-dev
	@scripts/oracle.sh

clean: ## what the commands wrote, caches included; .venv stays
	rm -rf $(DEMO_OUT) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache benchmarks/results
	find . -path './$(VENV)*' -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

clean-venv: ## .venv too
	rm -rf $(VENV) $(VENV)-oracle
