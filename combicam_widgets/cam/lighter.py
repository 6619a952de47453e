"""Passes that record a graph, made cheaper without changing what they compute.

What costs time is fresh memory and small operations. So while a pass runs

- a batch norm in evaluation is the scaling and shift that it amounts to, and right after a
  convolution part of it if this is less work: so convolutions wait for what is done with their
  output;
- convolutions do not keep their large inputs, which only the gradients of weights would need;
  depthwise ones go back by a forward convolution, and those of single pixels that leave pixels out
  by a product of matrices, which is faster;
- the gradient of a mean over all pixels is one number per channel, not one per pixel;
- nothing is computed twice to save memory (gradient checkpointing), since little is kept;
- activations work on a new tensor where in place they would have to copy their input for the
  graph anyway, that is all but ReLU.

On a GPU what costs time is to start operations, from Python most of all: there convolutions neither
wait nor are replaced, but for those with inputs so large that not to keep them saves much memory.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias, cast
from weakref import ReferenceType, ref

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_map_only

from combicam_widgets.cam.replicas import is_of_torch

_RECOMPUTE = ("memory_efficient", "with_cp")
"""Attributes, beside those named after it, that switch gradient checkpointing on."""

_LARGE = 2**18
"""Numbers in a convolution's input that are worth not keeping: 1 MB."""

_LARGE_ON_GPU = 2**24
"""The same on a GPU: 64 MB."""

_KEEPING = frozenset(("ReluBackward0", "_TapBackward"))
"""What keeps its output for the way back: the ReLU, and the taps of `passes`."""

_PRECISE = 4
"""Bytes of a number that is not of half precision."""

ScaleShift: TypeAlias = Mapping[nn.Module, tuple[Tensor, Tensor]]


def lighten(named: Mapping[str, nn.Module], postponement: Postponement | None = None) -> None:
    """Make the passes of a replica cheaper, with the same result to rounding.

    Methods are replaced on its modules; those whose class or instance has one of its own are left
    alone.

    Parameters
    ----------
    named : mapping from str to nn.Module
    postponement : Postponement, optional
        What batch norms become part of convolutions by, in one pass; None: they do not.
    """
    norms = _scales_and_shifts([m for m in named.values() if type(m) is nn.BatchNorm2d])
    for module in named.values():
        attributes = vars(module)
        if not is_of_torch(type(module)):
            _compute_once(attributes)
        if attributes.get("inplace") is True and type(module) is not nn.ReLU:
            attributes["inplace"] = False
        if isinstance(module, nn.Conv2d) and _takes_weights_as_they_are(module):
            usual = type(module).forward is nn.Conv2d.forward
            if norms and postponement and usual and _is_on_cpu(module.weight):
                attributes.setdefault("forward", postponement.of(module))
            if module.padding_mode == "zeros" and not isinstance(module.padding, str):
                attributes["_conv_forward"] = _frozen(module)
        elif module in norms:
            attributes.setdefault("forward", _affine(*norms[module]))
        elif type(module) is nn.AdaptiveAvgPool2d and module.output_size in (1, (1, 1)):
            attributes.setdefault("forward", _global_mean)


def _compute_once(attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        if value is True and ("checkpoint" in name or name in _RECOMPUTE):
            attributes[name] = False


def _scales_and_shifts(norms: list[nn.BatchNorm2d]) -> ScaleShift:
    """Return what each batch norm in evaluation amounts to, x * scale + shift: (K, 1, 1) both.

    Computed for all alike together, since there are many and each is small. Norms in half
    precision stay as they are: PyTorch computes them in float32, and rounds once.
    """
    alike: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    for norm in norms:
        mean, variance, weight, bias = norm.running_mean, norm.running_var, norm.weight, norm.bias
        if mean is None or variance is None or weight is None or bias is None:
            continue
        if min(mean.dtype.itemsize, weight.dtype.itemsize) >= _PRECISE:
            key = norm.eps, mean.dtype, weight.dtype, mean.device
            alike[key].append((norm, mean, variance, weight, bias))
    found: dict[nn.Module, tuple[Tensor, Tensor]] = {}
    for (epsilon, *_), group in alike.items():
        same, means, variances, weights, biases = zip(*group, strict=True)
        scale = torch.cat(weights) * torch.rsqrt(torch.cat(variances) + epsilon)
        shift = torch.cat(biases) - torch.cat(means) * scale
        sizes = [len(weight) for weight in weights]
        pairs = zip(
            torch.split(scale[:, None, None], sizes),
            torch.split(shift[:, None, None], sizes),
            strict=True,
        )
        found.update(zip(same, pairs, strict=True))
    return found


def _affine(scale: Tensor, shift: Tensor) -> Callable[[Tensor], Tensor]:
    if not _is_on_cpu(scale):
        return lambda x: torch.addcmul(shift, x, scale).to(x.dtype)

    def forward(x: Tensor) -> Tensor:
        if isinstance(x, _Postponed):
            if (both := x.scaled(scale, shift)) is not None:
                return both
            x = x.now()
        return torch.mul(x, scale).add_(shift).to(x.dtype)  # on a CPU addcmul is slower

    return forward


class Postponement:
    """The convolutions of one pass that wait for what is done with their output.

    Attributes
    ----------
    failed : bool
        Whether one was needed where it could not be computed any more as if it had run at once:
        its input was overwritten meanwhile, or code outside of Python wants its values. Then the
        whole pass is worth nothing.
    """

    def __init__(self) -> None:
        self.failed = False
        self._waiting: list[ReferenceType[_Postponed]] = []

    def of(self, convolution: nn.Conv2d) -> Callable[[Tensor], Tensor]:
        """Write the forward of a convolution."""

        def forward(x: Tensor) -> Tensor:
            x = computed(x)
            if type(x) is Tensor and x.ndim == 4 and _is_usual(x) and not _is_hooked(convolution):
                postponed = _Postponed.of(self, convolution, x)
                self._waiting.append(ref(postponed))
                return postponed
            y: Tensor = convolution._conv_forward(x, convolution.weight, convolution.bias)  # noqa: SLF001
            return y

        return forward

    def end(self) -> None:
        """Compute what somebody has kept; complain if the pass is worth nothing."""
        for reference in self._waiting:
            if (postponed := reference()) is not None:
                postponed.settle()
        if self.failed:
            self.fail()

    def fail(self) -> NoReturn:
        """Give up; somebody may catch the error and go on, so it is remembered."""
        self.failed = True
        raise RuntimeError("A convolution was postponed that should have run when it was called.")


class _Postponed(Tensor):
    """What a convolution gives, not computed yet: a batch norm that comes next is part of it.

    Whatever else is done with it is done with the convolution's output, which is computed then. So
    nothing need be known of who uses it. It has no values of its own: who asks for these in
    another way than by calling PyTorch fails.
    """

    _pass: Postponement
    _convolution: nn.Conv2d
    _given: tuple[Tensor, int]
    _output: Tensor | None
    _is_settled: bool

    @classmethod
    def of(cls, run: Postponement, convolution: nn.Conv2d, x: Tensor) -> _Postponed:
        """Postpone a convolution of x."""
        new = cast(_Postponed, cast(Any, Tensor)._make_wrapper_subclass(cls, ()))  # noqa: SLF001
        new._pass, new._convolution, new._given = run, convolution, (x, x._version)  # noqa: SLF001
        new._output, new._is_settled = None, False  # noqa: SLF001
        return new

    def now(self) -> Tensor:
        """Return the convolution's output."""
        # What an autograd function in Python is given should have been recorded before.
        if not (self._is_settled or _is_usual(self._given[0])):
            self._pass.fail()
        if self._output is None:
            weight, bias = self._convolution.weight, self._convolution.bias
            self._output = self._computed(weight, bias)
        return self._output

    def settle(self) -> None:
        """Become the convolution's output, for good."""
        self.now()
        self._is_settled = True

    def scaled(self, scale: Tensor, shift: Tensor) -> Tensor | None:
        """Return the output times scale plus shift; None if it is known already, or of other kind.

        Scaling the output costs one pass over it forward and one back; the weights, about one.
        """
        convolution, (x, _) = self._convolution, self._given
        weight, bias = convolution.weight, convolution.bias
        fits = len(scale) == len(weight) and scale.dtype == weight.dtype
        if self._output is not None or not fits:
            return None
        work = math.prod(weight.shape[1:]) * math.prod(convolution.stride)
        if work > 2 * x.numel() / x.shape[1]:
            return self._computed(weight, bias).mul_(scale).add_(shift)  # nobody else has seen it
        both = shift.flatten()
        if bias is not None:
            both = torch.addcmul(both, scale.flatten(), bias)
        return self._computed(weight * scale[..., None], both)

    def _computed(self, weight: Tensor, bias: Tensor | None) -> Tensor:
        x, version = self._given
        if x._version != version or not _is_usual(x):  # noqa: SLF001
            self._pass.fail()
        y: Tensor = self._convolution._conv_forward(x, weight, bias)  # noqa: SLF001
        return y

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN206
        """Do with the convolution's output whatever is to be done."""
        kwargs = kwargs or {}
        if _FLAT.issuperset(map(type, (*args, *kwargs.values()))):  # nearly always, and quick
            given = tuple(computed(value) for value in args)
            named = {name: computed(value) for name, value in kwargs.items()}
        else:
            given, named = tree_map_only(cls, cls.now, (args, kwargs))
        return func(*given, **named)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def, override]  # noqa: ANN001, ANN206
        """Fail: something has passed by `__torch_function__`."""
        found: list[_Postponed] = []
        tree_map_only(cls, found.append, (args, kwargs))
        found[0]._pass.fail()  # noqa: SLF001


_FLAT = frozenset((_Postponed, Tensor, nn.Parameter, bool, int, float, str, type(None)))
"""What holds no tensor that is not itself one."""


def computed(output: Tensor) -> Tensor:
    """Return the output of a module as a usual tensor, also if it was postponed."""
    return output.now() if isinstance(output, _Postponed) else output


def _is_on_cpu(tensor: Tensor) -> bool:
    return tensor.is_cpu


def _is_usual(x: Tensor) -> bool:
    return torch.is_grad_enabled() and not torch.is_autocast_enabled(x.device.type)


def _global_mean(x: Tensor) -> Tensor:
    """Mean over all pixels; as a sum, whose gradient takes no memory, unlike that of a mean."""
    if x.dtype.itemsize < _PRECISE:  # a sum might overflow
        return x.mean((-2, -1), keepdim=True)
    return x.sum((-2, -1), keepdim=True) / (x.shape[-2] * x.shape[-1])


def _is_hooked(module: nn.Module) -> bool:
    """Tell whether somebody, perhaps for a layer to explain, wants to see what a module gives."""
    return bool(
        module._forward_hooks  # noqa: SLF001
        or module._forward_pre_hooks  # noqa: SLF001
        or module._backward_hooks  # noqa: SLF001
        or module._backward_pre_hooks  # noqa: SLF001
    )


def _takes_weights_as_they_are(convolution: nn.Conv2d) -> bool:
    """Tell whether a convolution is no more than that: some standardise their weights first."""
    return (
        type(convolution)._conv_forward is nn.Conv2d._conv_forward  # noqa: SLF001
        and "_conv_forward" not in vars(convolution)
    )


def _frozen(convolution: nn.Conv2d) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """Write a convolution as one that only its input's gradient will be asked of."""
    padding = cast(tuple[int, ...], convolution.padding)
    settings = convolution.stride, padding, convolution.dilation, convolution.groups
    large = _LARGE if _is_on_cpu(convolution.weight) else _LARGE_ON_GPU
    better = _is_depthwise(convolution.weight, *settings) or _leaves_pixels_out(
        convolution.weight, *settings
    )

    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if x.requires_grad and x.numel() >= large and (better or not _is_kept(x)):
            return cast(Tensor, _FrozenConvolution.apply(x, weight, bias, *settings))
        return F.conv2d(x, weight, bias, *settings)

    return forward


def _is_kept(x: Tensor) -> bool:
    """Tell whether the graph keeps a tensor anyway, as the output of what made it."""
    return x.grad_fn is not None and x.grad_fn.name() in _KEEPING


def _is_depthwise(
    weight: Tensor,
    stride: tuple[int, ...],
    padding: tuple[int, ...],  # noqa: ARG001
    dilation: tuple[int, ...],
    groups: int,
) -> bool:
    """Tell whether a convolution looks at each channel alone, at all of its pixels."""
    return weight.shape[1] == 1 and groups == len(weight) and stride == dilation == (1, 1)


def _leaves_pixels_out(
    weight: Tensor,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],  # noqa: ARG001
    groups: int,
) -> bool:
    """Tell whether a convolution looks at single pixels, and not at all of them."""
    pixels = weight.shape[2:] == (1, 1) and max(padding) == 0
    return groups == 1 and pixels and max(stride) > 1


class _FrozenConvolution(torch.autograd.Function):
    """A convolution that does not keep its input, as PyTorch's own does for its weights' sake."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.strides = x.shape, x.stride()
        ctx.settings = stride, padding, dilation, groups
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (weight,) = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.settings
        if _is_depthwise(weight, *ctx.settings):
            # The same as a convolution with the kernel turned round, which is faster.
            rest = tuple(
                side - 1 - pad for side, pad in zip(weight.shape[2:], padding, strict=True)
            )
            turned = weight.flip(2, 3)
            gradient = F.conv2d(gradients[0], turned, None, stride, rest, dilation, groups)
            return gradient, None, None, None, None, None, None
        if _leaves_pixels_out(weight, *ctx.settings) and gradients[0].is_contiguous():
            # PyTorch's own would copy the whole input into another layout first.
            seen = torch.matmul(weight[:, :, 0, 0].t(), gradients[0].flatten(2))
            gradient = gradients[0].new_zeros(ctx.shape)
            gradient[..., :: stride[0], :: stride[1]] = seen.reshape(
                *seen.shape[:2], *gradients[0].shape[2:]
            )
            return gradient, None, None, None, None, None, None
        # Only the input's shape and strides are read: memory that is never touched costs nothing.
        x = torch.empty_strided(ctx.shape, ctx.strides, dtype=weight.dtype, device=weight.device)
        gradient = torch.ops.aten.convolution_backward(
            gradients[0],
            x,
            weight,
            None,
            stride,
            padding,
            dilation,
            False,  # noqa: FBT003  (not transposed)
            (0, 0),
            groups,
            (True, False, False),
        )[0]
        return gradient, None, None, None, None, None, None
