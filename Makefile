# Two commands, each complete by itself on a machine that has only Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# Extra words for pip when it fetches torch, such as an index of CPU builds, which saves gigabytes where there is no GPU:
#   make run TORCH="--index-url ..."
TORCH ?=

.PHONY: run test bundle clean

run: $(READY)
	$(VENV)/bin/semhub run

# Tests run beside each other, each process on one thread: small models lose more than they gain by several.
test: $(READY)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -rs -n auto --dist worksteal

# Every bundled model again, in grown/: with `make -j2 bundle` two at a time, one thread each. What sees or hears is grown around a text model.
SEED_semhub-text := 2
SEED_semhub-text-mispaired := 1
SEED_semhub-text-strangers-zh := 1
# In this order two at a time end together; mispaired begins after apart, and so finds its programs compiled by the hub.
TEXTS := text text-apart text-mispaired text-zh-dominant text-deranged
BUNDLE := $(TEXTS) tokens image text-strangers-en text-strangers-zh tokens-mispaired image-mispaired audio audio-mispaired
bundle: $(addprefix grown/semhub-,$(BUNDLE))

# What a step frees is kept for the next one, in huge pages: the same weights in less time (benchmarks/memory.py). Only glibc reads this.
MALLOC := glibc.malloc.hugetlb=1:glibc.malloc.trim_threshold=1073741824:glibc.malloc.mmap_threshold=33554432
grown/%: $(READY)
	OMP_NUM_THREADS=1 GLIBC_TUNABLES=$(MALLOC) $(VENV)/bin/semhub lab train $* --seed $(or $(SEED_$*),0) --compile --out $@

SENSES := grown/semhub-image grown/semhub-tokens grown/semhub-audio
$(SENSES): grown/semhub-text
$(addsuffix -mispaired,$(SENSES)): grown/semhub-text-mispaired

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "semhub needs Python 3.11 or later; found %d.%d. Try: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install -c constraints.txt $(TORCH) torch==2.13.0
	$(VENV)/bin/python -m pip install -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info
