# Lupa: build, test, demo. `make help` lists the targets.
#
# Needs Go, a C compiler and npm (to fetch ONNX Runtime's library); everything
# else is fetched into .tools by the targets that need it. It is to work with what macOS
# has: make 3.81, bash 3.2, BSD's tools.

SHELL   := /bin/bash
GO      ?= go
# BENCH_FLAGS='-rows 200000' makes bench-scale a short run.
BENCH_FLAGS ?=
TOOLS   := $(CURDIR)/.tools

DUCKDB_VERSION := 1.5.6-r.1

# --- ONNX Runtime: one pinned release, checked before use ---------------------

ORT_VERSION := 1.24.3
ORT_SHA256  := aa1bb5fa261ea68de05dd53efbba210cd7adf2d2850f4c3a201054c74cc78040
ORT_TGZ     := $(TOOLS)/onnxruntime-node-$(ORT_VERSION).tgz

UNAME_S := $(shell uname -s)
UNAME_M := $(shell uname -m)
ifeq ($(UNAME_S),Darwin)
ORT_PATH := darwin/arm64/libonnxruntime.$(ORT_VERSION).dylib
ORT_LIB  := $(TOOLS)/libonnxruntime.$(ORT_VERSION).dylib
SHA256   := shasum -a 256
else
ORT_PATH := linux/$(if $(filter aarch64 arm64,$(UNAME_M)),arm64,x64)/libonnxruntime.so.1
ORT_LIB  := $(TOOLS)/libonnxruntime.so.$(ORT_VERSION)
SHA256   := sha256sum
endif

# Where a library installed elsewhere is preferred, set this in the environment.
ONNXRUNTIME_SHARED_LIBRARY_PATH ?= $(ORT_LIB)
export ONNXRUNTIME_SHARED_LIBRARY_PATH

.PHONY: all build runtime test lint nocgo cross arm64 race fuzz soak bench bench-scale bench-rivals bench-text bench-fusion bench-neighbours bench-approx bench-watches bench-relevance bench-page bench-encoder bench-heic relevance sqllogic bench-weight demo clean help readme pictures browser mcp bounds curves messages

all: build

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-17s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

runtime: $(ONNXRUNTIME_SHARED_LIBRARY_PATH) ## fetch ONNX Runtime's library into .tools

$(ORT_LIB):
	@mkdir -p $(TOOLS)
	@echo "fetching ONNX Runtime $(ORT_VERSION) (86 MB, once)" >&2
	@cd $(TOOLS) && npm pack --silent onnxruntime-node@$(ORT_VERSION) >/dev/null
	@echo "$(ORT_SHA256)  $(ORT_TGZ)" | $(SHA256) -c - >/dev/null \
	  || { echo "onnxruntime-node-$(ORT_VERSION).tgz does not have the expected checksum; deleted" >&2; rm -f $(ORT_TGZ); exit 1; }
	@tar -xzf $(ORT_TGZ) -C $(TOOLS) package/bin/napi-v6/$(ORT_PATH)
	@mv $(TOOLS)/package/bin/napi-v6/$(ORT_PATH) $@
	@rm -rf $(TOOLS)/package $(ORT_TGZ)

build: ## build bin/lupa
	@# nodynamic: the decoders of HEIC and AVIF look for no library of the system.
	$(GO) build -trimpath -tags nodynamic -o bin/lupa ./cmd/lupa
	@# bin/lupa looks for the library beside itself. Renamed into place: a copy on
	@# top of a library in use would pull the code from under a running shell.
	@if [ -f $(ORT_LIB) ] && ! cmp -s $(ORT_LIB) bin/$(notdir $(ORT_LIB)); then \
	  cp $(ORT_LIB) bin/.library && mv bin/.library bin/$(notdir $(ORT_LIB)); fi

# --- Tests ---------------------------------------------------------------------

test: runtime $(TOOLS)/pglite ## all tests, those of the encoder included
	$(GO) test -timeout 40m ./...
	cd db/driver/testdata/compat && $(GO) test ./...

# PostgreSQL with pgvector, in WebAssembly. Where there is no npm, tests say that they go without.
$(TOOLS)/pglite:
	@if command -v npm >/dev/null && command -v node >/dev/null; then echo "fetching PGlite (40 MB, once)"; mkdir -p $@ && \
	  cp testdata/pglite/package.json testdata/pglite/serve.mjs $@ && npm install --silent --no-audit --no-fund --prefix $@ || rm -rf $@; fi

race: runtime ## the tests of everything concurrent under the race detector
	$(GO) test -race -timeout 40m ./db/... ./storage/... ./query/... ./encoder/...

nocgo: ## build and test what needs no C compiler
	CGO_ENABLED=0 $(GO) build ./...
	CGO_ENABLED=0 $(GO) test -timeout 40m ./storage/... ./query/... ./db ./encoder ./encoder/clip/... ./encoder/heif ./encoder/tokenizer ./encoder/table/...

CROSS := linux/386 linux/arm64 linux/riscv64 windows/amd64 darwin/arm64 freebsd/amd64
cross: ## build for other systems and processors, without a C compiler
	@for target in $(CROSS); do echo "$$target"; \
	  CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build -o /dev/null ./... || exit 1; done

# ARM64=short leaves out what takes long.
ARM64 ?=
arm64: ## the tests of kernels, codes, storage and query as arm64 computes them, under qemu-aarch64 (20 minutes)
	@GO="$(GO)" bash testdata/arm64/run.sh $(ARM64)

lint: ## gofmt, vet, and no built program among the files
	@out=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); if [ -n "$$out" ]; then echo "gofmt is needed:"; echo "$$out"; exit 1; fi
	@out=$$(git ls-files | while read -r f; do case "$$(head -c 4 "$$f" 2>/dev/null | od -An -tx1 | tr -d ' \n')" in 7f454c46|cffaedfe|4d5a9000) echo "$$f";; esac; done); \
	  if [ -n "$$out" ]; then echo "a built program is among the files:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...

FUZZTIME ?= 60s
fuzz: ## every fuzzer for FUZZTIME (default 60s)
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 2s $$pkg || exit 1; \
	  done; \
	done

SOAKTIME ?= 5m
soak: runtime ## 64 goroutines for SOAKTIME, cancelling everywhere; then thousands of seeds, hundreds of kills (hours)
	LUPA_SOAK=$(SOAKTIME) $(GO) test -run 'TestMixed|TestCancel$$' -count=1 -v -timeout 3h ./db
	LUPA_SOAK=1 $(GO) test -timeout 12h -count=1 ./...

# --- Measurements -----------------------------------------------------------------

bench: runtime $(TOOLS)/duckdb ## Go benchmarks of every package, beside DuckDB and Pillow where they compare
	$(GO) test -run '^$$' -bench . -benchmem ./...

# Where there is no npm, benchmarks go without DuckDB.
$(TOOLS)/duckdb:
	@if command -v npm >/dev/null; then echo "fetching DuckDB (70 MB, once)"; mkdir -p $@ && \
	  npm install --silent --no-audit --no-fund --prefix $@ @duckdb/node-api@$(DUCKDB_VERSION) || rm -rf $@; fi

bench-scale: ## two million vectors: load and search, beside numpy and Faiss where present (15 GB of disk, 20 minutes)
	$(GO) run ./testdata/bench $(BENCH_FLAGS)

bench-rivals: $(TOOLS)/duckdb ## beside SQLite, bbolt and DuckDB: inserts, load, look-ups, scans, filters, groups, what goes to files (5 GB of disk, 10 minutes)
	cd testdata/bench/rivals && $(GO) run -mod=mod . storage
	cd testdata/bench/rivals && $(GO) run -mod=mod . points
	cd testdata/bench/rivals && $(GO) run -mod=mod . expressions $$([ -d $(TOOLS)/duckdb ] && echo -duckdb $(TOOLS)/duckdb)
	cd testdata/bench/rivals && $(GO) run -mod=mod . spill $$([ -d $(TOOLS)/duckdb ] && echo -duckdb $(TOOLS)/duckdb)

bench-text: ## full-text search beside SQLite's FTS5, over a million captions (1 GB of disk, 3 minutes)
	cd testdata/bench/rivals && $(GO) run -mod=mod -tags sqlite_fts5 ./text

bench-fusion: ## searches by words and vectors together, beside those by vectors alone (0.6 GB of disk, a minute)
	$(GO) run ./testdata/bench/fusion

bench-page: ## 50 tabs that type on the page of lupa browse, and thumbnails of a new directory (0.5 GB of disk, 2 minutes)
	$(GO) run ./testdata/bench/page

bench-encoder: runtime ## texts beside the bare ONNX session, and how busy an import of pictures keeps it (5 minutes)
	$(GO) test ./encoder/onnx -run '^$$' -bench 'Batches|Import' -benchtime 3x

bench-heic: ## HEIC of 12 megapixels beside heif-convert (Debian: libheif-examples)
	$(GO) test -tags nodynamic ./encoder/heif -run '^$$' -bench BesideConvert -benchtime 3x

bench-approx: ## recall and time of approximate searches beside exact ones, and Faiss where present (7 GB of disk, 15 minutes)
	$(GO) run ./testdata/bench -approx $(BENCH_FLAGS)

bench-neighbours: ## the 5 nearest others of each of 100,000 rows, beside Faiss (0.5 GB of disk, 10 minutes)
	$(GO) run ./testdata/bench -neighbours 100000

bench-watches: ## what 100 watches add to inserts, by the processor's time (0.5 GB of disk, 2 minutes)
	$(GO) run ./testdata/bench -watches 100

bench-relevance: ## all rows that are relevant to a phrase, beside the ten most similar ones (1 GB of disk, a minute)
	$(GO) run ./testdata/bench -relevance 200000

relevance: ## how well words, vectors and both find real and drawn pictures
	LUPA_SOAK=1 $(GO) test ./cmd/lupa -run TestRelevance -v -count=1 | grep '^ *|\|prompts'

# CORPUS is a directory of SQLite's logic tests; SQLLOGIC='-match select*.test' runs some of them.
CORPUS ?=
SQLLOGIC ?=
sqllogic: ## SQLite's logic tests, answers and times beside SQLite in memory: make sqllogic CORPUS=directory
	@[ -n "$(CORPUS)" ] || { echo "make sqllogic CORPUS=a directory of SQLite's logic tests (sqllogictest/test)"; exit 2; }
	$(GO) run ./testdata/sqllogic $(SQLLOGIC) $(CORPUS)

bench-weight: ## the size of a small program, beside chromem-go, sqlite-vec and DuckDB (fetches 0.6 GB)
	cd testdata/bench/rivals && $(GO) run . weight

# --- Demo ---------------------------------------------------------------------------

demo: runtime build ## pictures and vectors in, phrases answered: see testdata/demo
	@bash testdata/demo/run.sh

messages: ## every error message in one list
	$(GO) run ./testdata/messages .

readme: runtime ## put what README's commands print into README.md
	$(GO) test ./cmd/lupa -run TestReadme -count=1 -update

pictures: demo ## make the README's pictures anew: needs Chromium
	@bash testdata/pictures/make.sh

bounds: ## draw docs/bounds.svg anew: bounds of codes against scores
	$(GO) test ./storage/internal/code -run TestFigure -count=1 -figure $(CURDIR)/docs/bounds.svg

curves: ## draw docs/approximate.svg anew: recall and time of approximate searches (3 GB of disk, 10 minutes)
	$(GO) run ./testdata/bench -approx -rows 400000 -kinds ivf -curves $(CURDIR)/docs/approximate.svg $(BENCH_FLAGS)

browser: runtime build ## the page of lupa browse in a real browser: needs Chromium and npm
	@bash testdata/browser/run.sh

mcp: runtime build ## lupa mcp before the protocol's inspector: needs npm
	@bash testdata/mcp/run.sh

clean: ## remove what the targets made
	rm -rf bin demo.lupa .tools
