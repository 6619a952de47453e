"""Memory: explanations leave nothing behind."""

import gc
import tracemalloc
from pathlib import Path

import pytest
import torch
from cam_networks import Mixed, RandomNet, Snapshot, photo

from combicam_widgets import cam

STATUS = Path("/proc/self/statm")


def resident():
    """Bytes in memory, those of torch too; 0 where the system does not tell."""
    return int(STATUS.read_text().split()[1]) * 4096 if STATUS.exists() else 0


@pytest.mark.parametrize("fails", [False, True])
def test_five_hundred_explanations_do_not_grow(fails):
    torch.manual_seed(0)
    network = Mixed()
    x = photo(2, 3, 16, 16)
    before = Snapshot.of(network)

    def explain(times):
        for n in range(times):
            if fails:
                with pytest.raises(ValueError, match="between 0 and 4"):
                    cam.explain(network, x, [n % 5, 9], "convolution")
            else:
                for maps in cam.explain(network, x, [n % 5, 0], "convolution", contrast=3):
                    maps.fuse()
        gc.collect()

    explain(100)
    tracemalloc.start()
    try:
        explain(5)
        traced, kept, all_objects = *tracemalloc.get_traced_memory()[:1], resident(), count()
        explain(500)
        grown = tracemalloc.get_traced_memory()[0] - traced
        # 500 x one small map (16 x 16 float32) would be 500 kB, one object each 500.
        assert grown < 200_000
        assert resident() - kept < 24_000_000
        assert count() - all_objects < 250
    finally:
        tracemalloc.stop()
    before.check(network)


def count():
    return len(gc.get_objects())


def test_networks_that_come_and_go_leave_nothing():
    gc.collect()
    cam.explain(RandomNet(0), photo())
    gc.collect()
    modules = sum(issubclass(type(x), torch.nn.Module) for x in gc.get_objects())
    for seed in range(50):
        cam.explain(RandomNet(seed % 5), photo())
    gc.collect()
    assert sum(issubclass(type(x), torch.nn.Module) for x in gc.get_objects()) <= modules
