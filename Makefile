# One front door: `make demo` shows what it does, `make test` proves it. Needs Python ≥ 3.11 and a network.

VENV   := .venv
PYTHON := $(VENV)/bin/python
UV     := $(shell command -v uv || echo .cache/uv/bin/uv)
SYNC   := UV_PYTHON_PREFERENCE=system $(UV) sync --frozen --quiet --compile-bytecode
EVERYTHING := --extra cpu --extra node --extra train --extra keras --extra browser --extra video --extra serve --extra bulk --extra ray

.NOTPARALLEL:
.PHONY: demo test soak web lint browser env-demo env clean

demo: web  ## Convert, verify, build the site of, and draw the shipped digits.
	$(VENV)/bin/ganexport demo -o demo --force

test: env web browser lint  ## Everything but the soak tier.
	$(PYTHON) web_demo/build.py run check
	$(PYTHON) web_demo/build.py test
	$(PYTHON) -m pytest -m "not soak" -n logical --maxprocesses 4 --dist loadfile

soak: env web browser  ## Repeated kills, load, long fuzzing, real-size training.
	$(PYTHON) -m pytest -m soak

lint: env
	$(VENV)/bin/ruff check ganexport train tests web_demo benchmarks
	$(VENV)/bin/ruff format --check ganexport train tests web_demo benchmarks
	$(VENV)/bin/mypy

web: env-demo  ## The web files in ganexport/_web; instant when nothing changed.
	$(PYTHON) web_demo/build.py

browser: env  ## Browsers for the tests: those that are there, Debian's, or Playwright's own.
	PYTHON=$(PYTHON) sh tests/install_browser.sh

env-demo: $(UV)
	@test -f $(VENV)/.everything || $(SYNC) --no-default-groups --extra cpu --extra node

env: $(VENV)/.everything

$(VENV)/.everything: uv.lock pyproject.toml | $(UV)
	$(SYNC) $(EVERYTHING)
	@touch $@

.cache/uv/bin/uv:
	python3 -m venv .cache/uv
	.cache/uv/bin/pip install --quiet uv

clean:  ## Remove what was built; runs/ stays.
	rm -rf $(VENV) .cache dist demo site ganexport/_web web_demo/node_modules .mypy_cache .ruff_cache .pytest_cache
