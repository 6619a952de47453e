"""Ctrl-C at any moment of a pass: the network and autograd must be as if it had never begun."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from functools import cache
from types import FrameType

import numpy as np
import torch
from torch import Tensor, nn

from combicam_widgets import cam, evaluation
from combicam_widgets.geo import CellGrid
from combicam_widgets.images import Photo, load_image
from combicam_widgets.models import GeoModel

_SLOW = 3
"""How many kinds of work take a tenth of a second: of twenty attempts, one."""


class _Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.act(self.norm(self.first(x))))
        y += x
        return y


@cache
def _scene() -> tuple[GeoModel, Tensor, Photo, cam.LayerMaps]:
    """Make a tiny network, parts of which are frozen and in evaluation mode, a photo, its maps."""
    torch.manual_seed(0)
    ends = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), _Residual(), *ends)
    network[0].requires_grad_(requires_grad=False).eval()
    network[1].norm.eval()
    network[1].first.register_forward_hook(lambda *_: None)
    model = GeoModel(network, CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90]))
    photo = load_image(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
    batch = torch.rand(1, 3, 12, 16)
    return model, batch, photo, cam.explain(network, batch)


def _works() -> list[Callable[[], object]]:
    model, batch, photo, maps = _scene()
    names = list(maps.names)
    return [
        lambda: cam.explain(model.network, batch),
        lambda: cam.explain(model.network, batch, layers=names),
        lambda: cam.score_cam(model.network, batch, layers=names),
        lambda: cam.class_scores(model.network, batch),
        lambda: cam.architecture(model.network, batch),
        lambda: model.explain(photo),
        lambda: model.layer_votes(photo, maps),
        # The slow ones, `_SLOW`.
        lambda: evaluation.by_worth(model, photo, maps, fills=("blur",), steps=2),
        lambda: evaluation.randomisation(model, photo, [evaluation.COMBI_CAM]),
        lambda: evaluation.knowing_nothing(model).explain(photo),
    ]


def _forget() -> None:
    """Exchange a module: what was found in the network has to be searched for again."""
    _scene()[0].network[2] = nn.AdaptiveAvgPool2d(1)


@cache
def _usual_seconds(kind: int, known: bool) -> float:  # noqa: FBT001
    seconds = []
    for _ in range(5):
        if not known:
            _forget()
        started = time.perf_counter()
        _works()[kind]()
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)[2]


def attempt(rng: np.random.Generator) -> None:
    """Interrupt one kind of work by a real signal at a random moment; main thread only."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Signals reach the main thread only.")
    model, batch, _, expected = _scene()
    quick = len(_works()) - _SLOW
    kind = int(rng.integers(quick) if rng.random() < 0.95 else quick + rng.integers(_SLOW))
    known, records = rng.integers(2, size=2).astype(bool)
    torch.set_grad_enabled(bool(records))
    try:
        usual = _usual_seconds(kind, bool(known))
        if not known:
            _forget()
        before = _state(model.network)
        came = _interrupted(_works()[kind], float(rng.uniform(1e-6, usual)))
        after = _state(model.network)
        for fact, value in before.items():
            if after[fact] != value:
                raise AssertionError(f"An interrupt (came: {came}) changed {fact}.")
        again = cam.explain(model.network, batch)
        for name in expected:
            np.testing.assert_allclose(again[name], expected[name], rtol=1e-5)
    finally:
        torch.set_grad_enabled(True)


def _interrupted(work: Callable[[], object], after: float) -> bool:
    """Tell whether the signal came in time."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        work()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        return True
    finally:
        signal.signal(signal.SIGALRM, usual)
    return False


def _state(network: nn.Module) -> dict[str, object]:
    """List everything that a pass could leave behind."""
    modules = list(network.modules())
    return {
        "modes": [module.training for module in modules],
        "flags": [parameter.requires_grad for parameter in network.parameters()],
        "attributes": [list(vars(module)) for module in modules],
        "hooks": [
            [(name, *value) for name, value in vars(module).items() if name.endswith("_hooks")]
            for module in modules
        ],
        "values": [value.sum().item() for value in network.state_dict().values()],
        "gradients": [parameter.grad for parameter in network.parameters()],
        "autograd": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "random": (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()),  # noqa: NPY002
        "threads": threading.active_count(),
    }
