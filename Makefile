# make demo            from nothing to a report with pictures (makes .venv itself)
# make demo DATA=DIR   the same on a Decathlon-style folder of real images
# make test            style (ruff, codespell), types (mypy) and pytest, in a process a core
#                      (WORKERS=1: in one)
# make docs            the site, in build/site; a warning, such as a link that leads nowhere, ends it
# make wheel           build/wheels: built, checked, installed where nothing else is, and run
# make faults          crashes, full disks, people at work side by side ... again and again: is anything lost?
#                      (FAULTS='--times 0.1 --only events' does less)
# make export-test     what is exported, taken by the programs that it is for: nnU-Net, dcmqi ... (large; in build/.checkers)
# make slurm-test      trainings on a real Slurm of two nodes, started here: killed, preempted, cancelled, out of time
# make ssh-test        trainings on another computer, through an sshd of its own on the loopback (in five minutes)
# make model-test     models that nnU-Net trains meanwhile say the same here as by nnU-Net (minutes; in build/.checkers)
# make slicer-test SLICER=/path/to/Slicer
#                      the module in a desktop Slicer, with a real mouse and real keys (Linux; xvfb and xdotool)
#
# PYTHON=python3.12 picks another interpreter, OUT=DIR another folder for the demo, MINUTES=M a longer training.
# Packages come from wherever your pip is set up to look. Where it offers a CPU build of torch (2.13.0+cpu), pip takes
# that one; a machine with an NVIDIA GPU takes the usual build.

PYTHON ?= python3
VENV ?= .venv
OUT ?= demo-out
DATA ?=
MINUTES ?=
FAULTS ?=
SLICER ?=
WORKERS ?= logical
JOURNEYS ?=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install demo style types test docs wheel faults export-test model-test slurm-test ssh-test slicer-test clean
help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

install: $(STAMP)

demo: $(STAMP)
	@$(BIN)/metassl demo --out "$(OUT)" $(if $(DATA),--data "$(DATA)") $(if $(MINUTES),--minutes $(MINUTES))

style: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/codespell

types: $(STAMP)
	$(BIN)/python -m mypy

test: style types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

docs: build/.docs
	rm -rf build/site
	$</bin/python -m sphinx -q -W --keep-going -b html -c docs . build/site
	@echo 'build/site/index.html'

wheel: build/.release
	rm -rf build/wheels build/fresh build/lib build/bdist.* MetaSSLSlicer/*.egg-info
	$</bin/python -m build --outdir build/wheels .
	$</bin/python -m build --outdir build/wheels research
	$</bin/python -m twine check --strict build/wheels/*
	$(PYTHON) -m venv build/fresh
	build/fresh/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build/wheels/*.whl
	cd build/fresh && bin/metassl --help && bin/metassl --version

faults: $(STAMP)
	cd Testing/faults && $(abspath $(BIN))/python -m faults $(FAULTS)

export-test: build/.checkers
	@command -v dciodvfy > /dev/null || apt-get install -y --no-install-recommends dicom3tools > /dev/null 2>&1 || \
	  echo 'DICOM is not checked by dciodvfy: on Debian and Ubuntu, as root: apt-get install dicom3tools'
	$</bin/python -m pytest Testing/exports

slurm-test: $(STAMP)
	@PATH="$$PATH:/usr/sbin" command -v slurmctld > /dev/null || \
	  RUNLEVEL=1 apt-get install -y --no-install-recommends slurm-wlm munge > /dev/null 2>&1 || \
	  echo 'There is no Slurm here: on Debian and Ubuntu, as root: apt-get install slurm-wlm munge'
	METASSL_SLURM_TEST=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest Testing/slurm

# The service that the package brings is not used: the tests start their own, with keys of its own, and stop it.
ssh-test: $(STAMP)
	@test -x /usr/sbin/sshd || RUNLEVEL=1 apt-get install -y --no-install-recommends openssh-server > /dev/null 2>&1 || \
	  echo 'There is no sshd: on Debian and Ubuntu, as root: apt-get install openssh-server'
	METASSL_SSH_TEST=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest Testing/ssh

model-test: build/.checkers
	$</bin/python -m pytest -s Testing/models

slicer-test: $(STAMP)
	@test -n "$(SLICER)" || { echo 'Which Slicer? make slicer-test SLICER=/path/to/Slicer'; exit 2; }
	$(BIN)/python Testing/desktop --slicer "$(SLICER)" --python "$(abspath $(BIN))/python" \
	  $(if $(JOURNEYS),--only "$(JOURNEYS)")

clean:
	rm -rf $(VENV) build

# A venv for each of these extras, without what the module itself needs.
build/.docs build/.release: build/.%: pyproject.toml constraints.txt
	$(PYTHON) -m venv $@
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$*"], sep="\n")' > $@/requirements.txt
	$@/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r $@/requirements.txt
	@touch $@

# The programs that exports are for are large, and bring packages that nothing else needs.
build/.checkers: pyproject.toml constraints.txt MetaSSLSlicer/Resources/requirements.txt
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[checkers]' -e research
	@touch $@

# The stamp is touched last, so an install that was cut short is done again.
$(STAMP): pyproject.toml research/pyproject.toml constraints.txt MetaSSLSlicer/Resources/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11'; exit 1; }
	@echo 'Installing into $(VENV) (once, about a minute on a fast line) ...'
	@$(PYTHON) -m venv $(VENV) || \
	  { echo 'The venv could not be made; on Debian and Ubuntu: apt install python3-venv'; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,report]' -e research
	@touch $@
