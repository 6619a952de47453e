"""Passes that record a graph, made cheaper without changing what they compute.

What costs time is fresh memory and small operations. So while a pass runs

- a batch norm in evaluation is the scaling and shift that it amounts to, and where a
  `nn.Sequential` runs it right after a convolution, part of that convolution if this is less work;
- convolutions do not keep their large inputs, which only the gradients of weights would need;
  depthwise ones go back by a forward convolution, and those of single pixels that leave pixels out
  by a product of matrices, which is faster;
- the gradient of a mean over all pixels is one number per channel, not one per pixel;
- nothing is computed twice to save memory (gradient checkpointing), since little is kept;
- activations work on a new tensor where in place they would have to copy their input for the
  graph anyway, that is all but ReLU.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_RECOMPUTE = ("memory_efficient", "with_cp")
"""Attributes, beside those named after it, that switch gradient checkpointing on."""

_LARGE = 2**18
"""Numbers in a convolution's input that are worth not keeping: 1 MB."""

ScaleShift: TypeAlias = Mapping[nn.Module, tuple[Tensor, Tensor]]


def lighten(named: Mapping[str, nn.Module]) -> None:
    """Make the passes of a replica cheaper, with the same result to rounding.

    Methods are replaced on its modules; those whose class or instance has one of its own are left
    alone.
    """
    modules = list(named.values())
    norms = _scales_and_shifts([m for m in modules if type(m) is nn.BatchNorm2d])
    replacements = [(module, _better(module, norms)) for module in modules]
    for module, better in replacements:
        if not type(module).__module__.startswith("torch."):
            _compute_once(vars(module))
        if type(module) is not nn.ReLU and vars(module).get("inplace", False) is True:
            vars(module)["inplace"] = False
        if better and better[0] not in vars(module):
            vars(module)[better[0]] = better[1]


def _compute_once(attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        if value is True and ("checkpoint" in name or name in _RECOMPUTE):
            attributes[name] = False


def _better(module: nn.Module, norms: ScaleShift) -> tuple[str, Callable[..., Tensor]] | None:
    """Name the method of a module that can be made cheaper, and what to put in its place."""
    if isinstance(module, nn.Conv2d):
        return ("_conv_forward", _frozen(module)) if _is_plain(module) else None
    if module in norms:
        return "forward", _affine(*norms[module])
    if type(module) is nn.AdaptiveAvgPool2d and module.output_size in (1, (1, 1)):
        return "forward", _global_mean
    if type(module).forward is nn.Sequential.forward:
        return "forward", _folded(cast(nn.Sequential, module), norms)
    return None


def _scales_and_shifts(norms: list[nn.BatchNorm2d]) -> ScaleShift:
    """Return what each batch norm in evaluation amounts to, x * scale + shift: (K, 1, 1) both.

    Computed for all alike together, since there are many and each is small.
    """
    alike: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    for norm in norms:
        mean, variance, weight, bias = norm.running_mean, norm.running_var, norm.weight, norm.bias
        if mean is not None and variance is not None and weight is not None and bias is not None:
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
    return lambda x: torch.mul(x, scale).add_(shift)  # addcmul is slower


def _folded(sequential: nn.Sequential, norms: ScaleShift) -> Callable[[Tensor], Tensor]:
    """Run the modules one after the other, convolutions together with their batch norms.

    Only here is it certain that nobody else sees the convolution's own output.
    """
    modules = list(sequential)
    steps: list[Callable[[Tensor], Tensor]] = []
    while modules:
        first, *modules = modules
        if modules and modules[0] in norms and _can_fold(first, modules[0]):
            norm = modules.pop(0)
            steps.append(_convolution_and_norm(cast(nn.Conv2d, first), norm, *norms[norm]))
        else:
            steps.append(first)

    def forward(x: Tensor) -> Tensor:
        for step in steps:
            x = step(x)
        return x

    return forward


def _global_mean(x: Tensor) -> Tensor:
    """Mean over all pixels; as a sum, whose gradient takes no memory, unlike that of a mean."""
    if x.dtype.itemsize < 4:  # a sum might overflow
        return x.mean((-2, -1), keepdim=True)
    return x.sum((-2, -1), keepdim=True) / (x.shape[-2] * x.shape[-1])


def _can_fold(convolution: nn.Module, norm: nn.Module) -> bool:
    return (
        isinstance(convolution, nn.Conv2d)
        and type(convolution).forward is nn.Conv2d.forward
        and convolution.out_channels == cast(nn.BatchNorm2d, norm).num_features
        and not any("forward" in vars(module) for module in (convolution, norm))
    )


def _convolution_and_norm(
    convolution: nn.Conv2d, norm: nn.Module, scale: Tensor, shift: Tensor
) -> Callable[[Tensor], Tensor]:
    weights_per_channel = math.prod(convolution.weight.shape[1:])
    strides = math.prod(convolution.stride)

    def both(x: Tensor) -> Tensor:
        # Scaling the output costs one pass over it forward and one back; the weights, about one.
        too_much = weights_per_channel > 2 * x.numel() / x.shape[1] / strides
        # Somebody's hook, perhaps that of a layer to explain, wants to see what lies between.
        if too_much or _is_hooked(convolution) or _is_hooked(norm):
            return cast(Tensor, norm(convolution(x)))
        weight = convolution.weight * scale[..., None]
        bias = shift.flatten()
        if convolution.bias is not None:
            bias = torch.addcmul(bias, scale.flatten(), convolution.bias)
        y: Tensor = convolution._conv_forward(x, weight, bias)  # noqa: SLF001
        return y

    return both


def _is_hooked(module: nn.Module) -> bool:
    """Tell whether somebody wants to see what goes into a module, or what comes out."""
    return bool(
        module._forward_hooks  # noqa: SLF001
        or module._forward_pre_hooks  # noqa: SLF001
        or module._backward_hooks  # noqa: SLF001
        or module._backward_pre_hooks  # noqa: SLF001
    )


def _is_plain(convolution: nn.Conv2d) -> bool:
    return (
        type(convolution)._conv_forward is nn.Conv2d._conv_forward  # noqa: SLF001
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
    )


def _frozen(convolution: nn.Conv2d) -> Callable[[Tensor, Tensor, Tensor | None], Tensor]:
    """Write a convolution as one that only its input's gradient will be asked of."""
    padding = cast(tuple[int, ...], convolution.padding)
    settings = convolution.stride, padding, convolution.dilation, convolution.groups

    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if x.requires_grad and x.numel() >= _LARGE:
            return cast(Tensor, _FrozenConvolution.apply(x, weight, bias, *settings))
        return F.conv2d(x, weight, bias, *settings)

    return forward


def _leaves_pixels_out(weight: Tensor, stride: tuple[int, ...], padding: tuple[int, ...]) -> bool:
    """Tell whether a convolution looks at single pixels, and not at all of them."""
    return weight.shape[2:] == (1, 1) and max(stride) > 1 and max(padding) == 0


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
        if groups == len(weight) == ctx.shape[1] and stride == dilation == (1, 1):
            # Depthwise: the same as a convolution with the kernel turned round, which is faster.
            rest = tuple(
                side - 1 - pad for side, pad in zip(weight.shape[2:], padding, strict=True)
            )
            turned = weight.flip(2, 3)
            gradient = F.conv2d(gradients[0], turned, None, stride, rest, dilation, groups)
            return gradient, None, None, None, None, None, None
        if (
            groups == 1
            and _leaves_pixels_out(weight, stride, padding)
            and gradients[0].is_contiguous()
        ):
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
