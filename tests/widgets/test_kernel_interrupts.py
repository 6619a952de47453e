"""Who interrupts the kernel while it works beside the page stops that work, and nothing else."""

import os
import sys
import time
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

SETUP = """
import asyncio, os, signal, time
import tiny
from combicam_widgets.widgets import Explorer
from combicam_widgets.widgets.explorer import explorer as module

steps = []

def endless(analysis, report):
    while True:
        steps.append(time.monotonic())
        report(0, 1)
        time.sleep(0.01)

module.weigh_by_worth = endless
explorer = Explorer(model=tiny.model(), image=tiny.photo(1))
before = explorer.shown
explorer.controls.presets["by worth"].click()
"""

STOPPED = """
assert steps and not explorer.busy, "it goes on"
assert "Cancelled" in explorer.error
assert explorer.shown.recipe == before.recipe and explorer.heatmap is before.heatmap
count = len(steps)
await asyncio.sleep(0.3)
assert len(steps) == count
"""


@pytest.fixture
def kernel():
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    manager, client = start_new_kernel(env=env)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client, code):
    """Run a cell; returns the error's name and words, or None."""
    content = client.execute_interactive(code, timeout=120, store_history=False)["content"]
    return None if content["status"] == "ok" else (content["ename"], content["evalue"])


def test_an_interrupt_between_cells_stops_what_goes_on_beside_the_page(kernel):
    manager, client = kernel
    assert run(client, SETUP) is None
    end, found = time.monotonic() + 60, ("", "never tried")
    while found is not None and time.monotonic() < end:
        manager.interrupt_kernel()
        found = run(client, STOPPED)
    assert found is None
    # Nothing goes on: there is nothing to interrupt, and the kernel lives.
    manager.interrupt_kernel()
    assert run(client, "explorer.rule = 'max'; assert explorer.error == ''") is None
    # A cell that runs is what is interrupted, as ever.
    raised = "os.kill(os.getpid(), signal.SIGINT); time.sleep(30)"
    assert run(client, raised)[0] == "KeyboardInterrupt"
