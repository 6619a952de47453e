"""Networks as people bring them: their layers as a person would count them, and right maps.

First small ones, of every kind; then those that ``python -m benchmarks networks`` goes through,
narrower where that changes nothing but the time.
"""

import numpy as np
import pytest
import timm
import torch
import transformers
from cam_networks import activations_and_gradients, obvious_map, photo
from torchvision import models

from benchmarks.networks import TIMM, TORCHVISION, made_of_torchvision
from combicam_widgets import cam


def of_timm(name, **options):
    return timm.create_model(name, pretrained=False, num_classes=5, **options)


def of_hugging_face(kind, **options):
    config = getattr(transformers, f"{kind}Config")(num_labels=5, **options)
    return getattr(transformers, f"{kind}ForImageClassification")(config)


SMALL = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}
STAGES = {"hidden_sizes": [8, 16, 16, 16], "depths": [2, 2, 3, 2]}

NETWORKS = {
    # name: how to make it, pixels, layers, (rows, columns) of the first and of the last
    "torchvision vit": (
        lambda: models.VisionTransformer(64, 8, 4, 2, 16, 32, num_classes=5), 64, 4, 8, 8
    ),
    "torchvision swin": (lambda: models.swin_t(num_classes=5), 64, 12, 16, 2),
    "torchvision resnet": (lambda: models.resnet18(num_classes=5), 64, 8, 16, 2),
    "timm vit": (
        lambda: of_timm("vit_tiny_patch16_224", embed_dim=24, depth=5, img_size=64, patch_size=8),
        64, 5, 8, 8,
    ),
    "timm vit, registers": (
        lambda: of_timm("vit_tiny_patch16_224", embed_dim=24, depth=3, img_size=64, patch_size=8,
                        reg_tokens=4),
        64, 3, 8, 8,
    ),
    "timm deit, distilled": (
        lambda: of_timm("deit_tiny_distilled_patch16_224", embed_dim=24, depth=3), 224, 3, 14, 14
    ),
    "timm pvt": (lambda: of_timm("pvt_v2_b0"), 64, 8, 16, 2),
    "timm convnext": (lambda: of_timm("convnext_atto"), 64, 12, 16, 2),
    "Hugging Face vit": (
        lambda: of_hugging_face("ViT", image_size=64, patch_size=8, num_hidden_layers=3, **SMALL),
        64, 3, 8, 8,
    ),
    "Hugging Face resnet": (
        lambda: of_hugging_face("ResNet", embedding_size=8, **STAGES, layer_type="basic"),
        64, 9, 16, 2,
    ),
    "Hugging Face convnext": (lambda: of_hugging_face("ConvNext", **STAGES), 64, 9, 16, 2),
    "Hugging Face swin": (
        lambda: of_hugging_face("Swin", image_size=64, embed_dim=8, depths=[2, 2, 2],
                                num_heads=[2, 2, 2], window_size=4),
        64, 6, 16, 4,
    ),
}  # fmt: skip

AGAINST_PLAIN_AUTOGRAD = {
    # name: the layer, and how many tokens stand before those of the places
    "torchvision vit": ("encoder.layers.encoder_layer_1", 1),
    "timm vit": ("blocks.4.norm1", 1),
    "timm vit, registers": ("blocks.1", 5),
    "timm deit, distilled": ("blocks.0", 2),
    "Hugging Face vit": ("vit.layers.1", 1),
}


def made(name):
    make, side, *rest = NETWORKS[name]
    torch.manual_seed(0)
    network = make().eval()
    for parameter in network.parameters():  # some begin with a head of zeros, or nearly
        if parameter.abs().max() < 1e-3:
            torch.nn.init.normal_(parameter, std=0.05)
    return network, photo(1, 3, side, side), rest


@pytest.mark.filterwarnings("ignore:It could not be tested which axes")
@pytest.mark.parametrize("name", NETWORKS)
def test_layers_as_a_person_would_count_them(name):
    network, x, (count, first, last) = made(name)
    maps = cam.explain(network, x, 2)
    assert len(maps) == count
    assert maps.maps[0].shape == (first, first)
    assert maps.maps[-1].shape == (last, last)
    for method in cam.METHODS:
        assert np.isfinite(maps.with_method(method).fuse()).all()
    silent = maps.with_method("layercam").silent
    assert silent == (maps.names[-1:] if name == "Hugging Face swin" else ())  # by chance


BEHIND_A_CLASS_TOKEN = {
    "torchvision vit": ("encoder.layers.encoder_layer_3", "ln_1"),
    "timm vit": ("blocks.4", "norm1"),
    "timm vit, registers": ("blocks.2", "norm1"),
    "timm deit, distilled": ("blocks.2", "norm1"),
    "Hugging Face vit": ("vit.layers.2", "layernorm_before"),
}


@pytest.mark.parametrize("name", BEHIND_A_CLASS_TOKEN)
def test_the_last_block_of_a_vit_gives_way_to_the_norm_with_which_it_begins(name):
    network, x, _ = made(name)
    block, norm = BEHIND_A_CLASS_TOKEN[name]
    for granularity in ("block", "stage"):
        assert cam.architecture(network, x, granularity).names[-1] == f"{block}.{norm}"
    named = cam.explain(network, x, 2, [block, f"{block}.{norm}"], methods="layercam")
    assert named.silent == (block,)


def test_a_vit_that_averages_its_tokens_keeps_its_last_block():
    network = of_timm(
        "vit_tiny_patch16_224", embed_dim=24, depth=3, img_size=64, patch_size=8, global_pool="avg"
    )
    x = photo(1, 3, 64, 64)
    assert cam.architecture(network.eval(), x).names == tuple(f"blocks.{n}" for n in range(3))


@pytest.mark.parametrize("name", AGAINST_PLAIN_AUTOGRAD)
def test_maps_of_tokens_are_those_of_plain_autograd(name):
    network, x, (_, side, _) = made(name)
    layer, before = AGAINST_PLAIN_AUTOGRAD[name]

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x):
            return getattr(output := self.network(x), "logits", output)

    network, x = network.double(), x.double()
    a, g = activations_and_gradients(Logits(), x, f"network.{layer}", 2, "logit")
    a, g = (v[before:].T.reshape(-1, side, side) for v in (a, g))
    maps = cam.explain(network, x, 2, [layer], score="logit")
    for method in ("gradcam", "hirescam", "layercam"):
        expected = obvious_map(method, a, g)
        assert expected.any()
        # Behind a norm the terms of a sum nearly cancel: then their size counts.
        size = max(expected.max(), 1e-2 * (np.abs(g) * np.abs(a)).sum(0).max())
        np.testing.assert_allclose(maps.with_method(method)[layer], expected, atol=1e-4 * size)


NARROW = {
    "beit_base_patch16_224": {"embed_dim": 96},
    "deit3_small_patch16_224": {"embed_dim": 96},
    "efficientformer_l1": {"embed_dims": (16, 24, 32, 64)},
    "hiera_tiny_224": {"embed_dim": 24},
    "resnetv2_50": {"stem_chs": 16, "channels": (32, 64, 128, 256)},
    "swin_tiny_patch4_window7_224": {"embed_dim": 24},
    "swinv2_cr_tiny_224": {"embed_dim": 24},
    "twins_svt_small": {"embed_dims": (16, 32, 64, 128)},
    "vit_base_patch32_clip_224": {"embed_dim": 96},
    "vit_little_patch16_reg4_gap_256": {"embed_dim": 40},
}
HEAVY = {"resnet101", "swin_s", "swin_t", "vgg11", "vgg16_bn", "vit_b_32", "wide_resnet50_2"}
"""Like others here, only larger."""

OTHERWISE = {
    # name: layers that are found, where these are not the blocks
    "efficientnet_v2_s": 38,  # the first two are single convolutions
    "coatnet_pico_rw_224": 13,  # the stem counts
    "levit_128s": 13,  # so does attention between stages
    "ghostnet_100": 23,  # two halves of a block
    "hiera_tiny_224": 2,  # tokens stand window by window before
}
REFUSED = "nest_tiny"


@pytest.mark.filterwarnings("ignore:It could not be tested which axes")
@pytest.mark.filterwarnings("ignore:10 blocks of this network .HieraBlock. are left out")
@pytest.mark.parametrize(
    "name", [name for name in TORCHVISION | TIMM if name not in HEAVY | {REFUSED}]
)
def test_sixty_networks(name):
    side, blocks = (TORCHVISION | TIMM)[name]
    torch.manual_seed(0)
    if name in TIMM:
        network = of_timm(name, **NARROW.get(name, {})).eval()
    else:
        network = made_of_torchvision(name).eval()
    maps = cam.explain(network, photo(1, 3, side, side), 3, methods="hirescam")
    assert len(maps) == OTHERWISE.get(name, blocks)
    assert np.isfinite(maps.fuse()).all()
    sizes = [x.shape[0] for x in maps.maps]
    assert sizes == sorted(sizes, reverse=True)


def test_a_network_of_which_only_poolings_give_maps_is_refused():
    with pytest.raises(ValueError, match=r"The 12 blocks .*\(TransformerLayer\).* no map"):
        cam.architecture(of_timm(REFUSED), photo(1, 3, 224, 224))
