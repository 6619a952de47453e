# make lab    set everything up and open JupyterLab on the first notebook
# make app    show the explorer as a page of its own, without code
# make test   set everything up and run every check and test
# make test-oldest   test with the oldest versions that are promised (slow)
# make docs   build the documentation: build/site/html/index.html
# make bench  print the benchmark tables
# make study  measure which heatmap carries the answer (an hour or two), and write docs/study.md
# make clean  remove what the above made

VENV := .venv
OLDEST := .venv-oldest
PYTHON ?= python3
BIN := $(VENV)/bin
WORKERS ?= 2
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable chrome

.PHONY: lab app docs test test-oldest check bench study clean browser
.DEFAULT_GOAL := lab

lab: $(VENV)/lab.stamp
	@echo "JupyterLab opens in your browser; without one, open the address it prints below."
	$(BIN)/jupyter lab $(AS_ROOT) --LabApp.default_url=/lab/tree/notebooks/01-explore.ipynb

app: $(VENV)/app.stamp
	@echo "The app opens in your browser; without one, open the address it prints below."
	$(BIN)/voila notebooks/app.ipynb

test: browser check
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

test-oldest:
	$(PYTHON) -m venv --clear $(OLDEST)
	$(PYTHON) .ci/oldest.py > $(OLDEST)/oldest.txt
	$(OLDEST)/bin/python -m pip install --quiet --constraint $(OLDEST)/oldest.txt ".[test]"
	$(OLDEST)/bin/python -m pytest -n $(WORKERS) --ignore=tests/browser --ignore=tests/test_notebooks.py

check: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/oxlint --quiet
	$(BIN)/deno check --quiet --no-remote --no-npm combicam_widgets
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/docs.stamp
	$(BIN)/python -m recipes.documentation

bench: browser $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks

study: $(VENV)/test.stamp
	$(BIN)/python recipes/study.py measure
	$(BIN)/python recipes/study.py write

browser:
	@[ -n "$$COMBICAM_CHROMIUM" ] || command -v $(BROWSERS) >/dev/null || { \
	  echo "The browser tests need Chromium, and none was found."; \
	  echo "Install it (Debian, Ubuntu: sudo apt-get install chromium), or point to one with"; \
	  echo "  COMBICAM_CHROMIUM=/path/to/chromium make test"; exit 1; }

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python cannot make virtual environments here."; \
	  echo "Install its venv module (Debian, Ubuntu: sudo apt-get install python3-venv)."; exit 1; }

# The extra test includes lab and app, and bench includes test.
$(VENV)/%.stamp: $(BIN)/python setup.cfg pyproject.toml
	@echo "Installing into $(VENV) (torch is large: the first time takes minutes) ..."
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	@touch $@

clean:
	rm -rf $(VENV) $(OLDEST) artifacts build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
