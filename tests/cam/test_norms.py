"""Norms between maps and tokens, where PyTorch's own gradient for one photo is wrong."""

import numpy as np
import pytest
import torch
from cam_networks import obvious_map, photo
from torch import nn
from torch.nn import functional as F

from combicam_widgets import cam

K = 8


class Doubled(nn.BatchNorm2d):
    def forward(self, x):
        return 2 * super().forward(x)


class Activated(nn.BatchNorm2d):
    """As in timm: the function itself, and an activation."""

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias).relu()


class Named(nn.BatchNorm2d):
    pass


NORMS = {
    "batch": lambda: nn.BatchNorm2d(K),
    "without weights": lambda: nn.BatchNorm2d(K, affine=False),
    "of this batch": lambda: nn.BatchNorm2d(K, track_running_stats=False),
    "synchronized": lambda: nn.SyncBatchNorm(K),
    "subclass": lambda: Named(K),
    "own forward": lambda: Doubled(K),
    "as in timm": lambda: Activated(K),
    "instance": lambda: nn.InstanceNorm2d(K),
    "instance with weights": lambda: nn.InstanceNorm2d(K, affine=True),
    "instance, tracked": lambda: nn.InstanceNorm2d(K, affine=True, track_running_stats=True),
    "group": lambda: nn.GroupNorm(2, K),
}


class Tokens(nn.Module):
    """Convolution, norm, transformer layer: the norm's gradient has the strides of tokens."""

    def __init__(self, norm):
        super().__init__()
        self.conv = nn.Conv2d(3, K, 2, 2)
        self.norm = norm
        self.layer = nn.TransformerEncoderLayer(K, 2, 16, batch_first=True)
        self.head = nn.Linear(K, 5)

    def forward(self, x):
        x = self.norm(self.conv(x))
        return self.head(self.layer(x.flatten(2).transpose(1, 2))[:, 0])


class Back(Tokens):
    """And the other way: the norm's input has the strides of tokens."""

    def forward(self, x):
        x = self.conv(x)
        x = self.layer(x.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])
        return self.head(self.norm(x).flatten(2).square().amax(2))


class Turned(Tokens):
    """Maps that lie on their side, as in networks that look along one axis after the other."""

    def forward(self, x):
        x = self.norm(self.conv(x).transpose(2, 3)).transpose(2, 3)
        return self.head(self.layer(x.flatten(2).transpose(1, 2))[:, 0])


class Expanded(Tokens):
    """The norm sees one number per channel, or per place, as often as there are others."""

    def forward(self, x):
        x = self.conv(x)
        places = self.norm(x.mean(1, keepdim=True).expand(x.shape))
        channels = self.norm(x.mean((2, 3), keepdim=True).expand(x.shape))
        x = places * channels
        return self.head(self.layer(x.flatten(2).transpose(1, 2))[:, 0])


def check_maps(network, x, expected):
    """Compare the maps of photos with those of a gradient (N, K, h, w) and activations."""
    for maps, a, g in zip(cam.explain(network, x, [2] * len(x), ["conv"]), *expected, strict=True):
        for method in ("gradcam", "hirescam", "layercam"):
            tolerance = 1e-4 * np.abs(a * g).sum(0).max()
            obvious = obvious_map(method, a, g)
            np.testing.assert_allclose(maps.with_method(method)["conv"], obvious, atol=tolerance)
        assert maps.with_method("layercam")["conv"].any()


@pytest.mark.parametrize("make", [Tokens, Back, Turned, Expanded])
@pytest.mark.parametrize("norm", ["without weights", "synchronized", "own forward"])
@pytest.mark.parametrize("photos", [1, 2])
@pytest.mark.parametrize("shape", [(2, 12), (12, 2), (8, 6)])
def test_photos_of_any_shape_are_explained_as_differences_say(norm, make, shape, photos):
    torch.manual_seed(0)
    network = make(NORMS[norm]()).double().eval()
    for values in network.norm.buffers():
        if values.is_floating_point():
            values.uniform_(0.5, 2)
    x = photo(photos, 3, *shape).double()
    seen = []
    handle = network.conv.register_forward_hook(lambda *given: seen.append(given[-1]))
    network(x)
    handle.remove()
    a = seen[0].detach().contiguous()
    # PyTorch's own gradient is not believed: the score is computed beside each activation.
    network.conv, kept = nn.Identity(), network.conv
    step = 1e-5
    g = torch.zeros_like(a)
    with torch.no_grad():
        for i in range(len(a)):
            steps = step * torch.eye(a[i].numel(), dtype=a.dtype).reshape(-1, *a[i].shape)
            up, down = (network(a[i] + way * steps).log_softmax(1)[:, 2] for way in (1, -1))
            g[i] = ((up - down) / (2 * step)).reshape(a[i].shape)
    network.conv = kept
    check_maps(network, x, (a.numpy(), g.numpy()))


@pytest.mark.parametrize("make", [Tokens, Back])
@pytest.mark.parametrize("norm", NORMS)
def test_one_photo_is_explained_as_it_is_in_a_batch(norm, make):
    torch.manual_seed(0)
    network = make(NORMS[norm]())
    for values in network.norm.buffers():
        if values.is_floating_point():
            values.uniform_(0.5, 2)
    x = photo(1, 3, 12, 16)
    # PyTorch's own gradient of the photo twice; statistics of the batch are the same then.
    seen = []
    network.eval().conv.register_forward_hook(lambda *given: seen.append(given[-1]))
    score = network(torch.cat([x, x])).log_softmax(1)[:, 2].sum()
    (gradient,) = torch.autograd.grad(score, seen)
    if norm == "of this batch":  # each of the two changes what the other one is divided by
        gradient = gradient.sum(0, keepdim=True) / 2
    a, g = seen[0][0].detach().double().numpy(), gradient[0].double().numpy()
    check_maps(network, x, ([a], [g]))
