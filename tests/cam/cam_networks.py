"""Tiny networks, a snapshot of a network's state and a slow obvious CAM, shared by these tests."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


class Pointwise(nn.Module):
    """1x1 convolution, global average, linear: every gradient is known in closed form."""

    def __init__(self, channels=4, classes=5):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 1)
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))


class Everywhere(nn.Module):
    """1x1 convolution, then a linear layer that reads every pixel: gradients vary in space."""

    def __init__(self, channels=4, classes=5, size=(3, 4)):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 1)
        self.head = nn.Linear(channels * size[0] * size[1], classes)

    def forward(self, x):
        return self.head(self.conv(x).flatten(1))


class Mixed(nn.Module):
    """Convolutions, BatchNorm, in-place ReLU; training modes and requires_grad flags mixed."""

    def __init__(self, tail=None):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(6)
        self.relu2 = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6, 5)
        self.tail = tail or nn.Identity()
        self.train()
        self.bn2.eval()
        self.conv1.eval()
        self.conv1.weight.requires_grad_(False)
        self.bn2.bias.requires_grad_(False)
        self.head.bias.grad = torch.full((5,), 7.0)

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.relu2(self.bn2(self.conv2(x)))
        return self.tail(self.head(self.drop(x.mean((2, 3)))))


class RandomBlock(nn.Module):
    """Convolution, optional BatchNorm, in-place ReLU, two branches, optional residual."""

    def __init__(self, width, rng):
        super().__init__()
        self.stride = int(rng.integers(1, 3))
        self.residual = self.stride == 1 and bool(rng.integers(2))
        self.inplace = True
        self.conv = nn.Conv2d(width, width, 3, stride=self.stride, padding=1)
        self.norm = nn.BatchNorm2d(width) if rng.integers(2) else nn.Identity()
        self.relu = nn.ReLU(inplace=True)
        self.left = nn.Conv2d(width, width, 1)
        self.right = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.gate = bool(rng.integers(2))
        self.last = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.norm(self.conv(x)))
        left, right = self.left(y), self.right(y)
        y = left * right.sigmoid() if self.gate else left + right
        if self.residual and self.inplace:
            y += x
        elif self.residual:
            y = y + x
        return self.last(y)


def _normed(width, rng):
    return nn.Sequential(
        nn.Conv2d(
            width, width, 3, padding=1, groups=width if rng.random() < 0.5 else 1, bias=False
        ),
        nn.BatchNorm2d(width),
        (nn.SiLU, nn.ReLU, nn.Hardswish)[rng.integers(3)](inplace=bool(rng.random() < 0.5)),
    )


class RandomNet(nn.Module):
    """A small CNN drawn from a seed: depth, strides, branches, residuals, dead branch.

    With ``normed``, a convolution, a batch norm and an activation in a row, too.
    """

    def __init__(self, seed, *, normed=False):
        super().__init__()
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        width = int(rng.integers(2, 6))
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.act = nn.ReLU(inplace=True)
        self.blocks = nn.Sequential(*(RandomBlock(width, rng) for _ in range(rng.integers(1, 4))))
        self.dead = nn.Conv2d(width, 2, 1)
        self.head = nn.Linear(width, 6)
        self.normed = _normed(width, rng) if normed else None
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.3, 0.3)
                module.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x = self.act(self.stem(x))
        x = self.blocks(x)
        if self.normed:
            x = self.normed(x)
        self.dead(x)
        return self.head(x.mean((2, 3)))


@dataclass
class Snapshot:
    """Everything about a network that an explanation must leave as it was."""

    modes: list
    flags: list
    grads: list
    hooks: list
    values: dict
    attributes: list

    @classmethod
    def of(cls, network):
        return cls(
            [m.training for m in network.modules()],
            [p.requires_grad for p in network.parameters()],
            [None if p.grad is None else p.grad.clone() for p in network.parameters()],
            [_hooks(m) for m in network.modules()],
            {k: v.clone() for k, v in network.state_dict().items()},
            [sorted(vars(m)) for m in network.modules()],
        )

    def check(self, network):
        now = Snapshot.of(network)
        assert now.modes == self.modes
        assert now.flags == self.flags
        assert now.hooks == self.hooks
        assert now.attributes == self.attributes
        for new, old in zip(now.grads, self.grads, strict=True):
            assert (new is None) == (old is None)
            assert new is None or torch.equal(new, old)
        assert now.values.keys() == self.values.keys()
        for key, old in self.values.items():
            assert torch.equal(now.values[key], old), key


def _hooks(module):
    kinds = (
        "_forward_hooks",
        "_forward_pre_hooks",
        "_backward_hooks",
        "_backward_pre_hooks",
        "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called",
    )
    return {kind: dict(getattr(module, kind)) for kind in kinds}


def photo(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*(shape or (1, 3, 8, 8)), generator=generator).to(dtype)


def activations_and_gradients(network, batch, layer, target, score, contrast=None):
    """One pass for one layer: full autograd through unfrozen parameters, nothing in place."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    for parameter in network.parameters():
        parameter.requires_grad = True
    seen = []

    def look(_module, _inputs, output):
        output.retain_grad()
        seen.append(output)

    network.get_submodule(layer).register_forward_hook(look)
    z = network(batch.clone().requires_grad_())[0]
    p = torch.exp(z) / torch.exp(z).sum()
    values = {"logit": z, "probability": p, "log_probability": torch.log(p)}[score]
    value = values[target] if contrast is None else values[target] - values[contrast]
    value.backward()
    (a,) = seen
    g = torch.zeros_like(a) if a.grad is None else a.grad
    return a[0].detach().double().numpy(), g[0].double().numpy()


def obvious_map(method, a, g):
    """One layer's map from activations and gradients (K, h, w), term by term in float64."""
    channels, height, width = a.shape
    total = np.zeros((height, width))
    for k in range(channels):
        if method == "gradcam":
            term = g[k].mean() * a[k]
        elif method == "gradcam++":
            weight = 0.0
            for i in range(height):
                for j in range(width):
                    if g[k, i, j] > 0:
                        alpha = g[k, i, j] ** 2 / (
                            2 * g[k, i, j] ** 2 + a[k].sum() * g[k, i, j] ** 3
                        )
                        weight += alpha * g[k, i, j]
            term = weight * a[k]
        elif method == "xgradcam":
            mass = a[k].sum()
            term = (g[k] * a[k]).sum() / mass * a[k] if mass else 0 * a[k]
        elif method == "hirescam":
            term = g[k] * a[k]
        elif method == "layercam":
            term = np.maximum(g[k], 0) * a[k]
        else:
            raise AssertionError(method)
        total = total + term
    return np.maximum(total, 0)


def assert_close(actual, expected, tolerance=1e-4):
    """Compare maps within a tolerance relative to the largest expected value."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)
