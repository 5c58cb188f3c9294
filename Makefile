# Two commands, each complete by itself on a machine that has only Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
# Extra words for pip when it fetches torch, such as an index of CPU builds, which saves gigabytes where there is no GPU:
#   make run TORCH="--index-url ..."
TORCH ?=

.PHONY: run test clean

run: $(READY)
	$(VENV)/bin/semhub run

# Tests run beside each other, each process on one thread: small models lose more than they gain by several.
test: $(READY)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -rs -n auto --dist worksteal

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "semhub needs Python 3.11 or later; found %d.%d. Try: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install -c constraints.txt $(TORCH) torch==2.13.0
	$(VENV)/bin/python -m pip install -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info
