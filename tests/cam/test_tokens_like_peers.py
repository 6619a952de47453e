"""Maps of tokens and of channels-last layers against pytorch-grad-cam with its reshape_transform.

The peer is told how tokens lie; the engine finds it. Both in double precision, with scores so
large that what the peer adds to denominators vanishes beside them.
"""

import numpy as np
import pytest
import timm
import torch
import transformers
from cam_networks import photo
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from pytorch_grad_cam.activations_and_gradients import ActivationsAndGradients
from pytorch_grad_cam.utils.reshape_transforms import swinT_reshape_transform, vit_reshape_transform
from torch import nn
from torchvision import models

from combicam_widgets import cam

PEER = {
    "gradcam": GradCAM,
    "gradcam++": GradCAMPlusPlus,
    "xgradcam": XGradCAM,
    "hirescam": HiResCAM,
    "layercam": LayerCAM,
}
LOUD, TARGET = 1e9, 2


class Logits(nn.Module):
    """The peer takes tensors only."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x).logits


def hugging_face(kind, **options):
    config = getattr(transformers, f"{kind}Config")(num_labels=5, **options)
    return Logits(getattr(transformers, f"{kind}ForImageClassification")(config))


def after(extra, rows, columns):
    """As the peer's own, for other numbers of class and register tokens."""
    return lambda tokens: (
        tokens[:, extra:].reshape(len(tokens), rows, columns, -1).permute(0, 3, 1, 2)
    )


NETWORKS = {
    # name: how to make it, the photo, a layer, how the peer is told to read it
    "torchvision vit": (
        lambda: models.VisionTransformer(64, 8, 3, 2, 16, 32, num_classes=5),
        (64, 64),
        "encoder.layers.encoder_layer_1",
        lambda x: vit_reshape_transform(x, 8, 8),
    ),
    "timm vit with registers, a wide photo": (
        lambda: timm.create_model(
            "vit_tiny_patch16_224",
            embed_dim=24,
            depth=3,
            img_size=(48, 80),
            patch_size=8,
            reg_tokens=4,
            num_classes=5,
        ),
        (48, 80),
        "blocks.1",
        after(5, 6, 10),
    ),
    "timm deit, distilled, before attention": (
        lambda: timm.create_model(
            "deit_tiny_distilled_patch16_224",
            embed_dim=24,
            depth=3,
            img_size=64,
            patch_size=8,
            num_classes=5,
        ),
        (64, 64),
        "blocks.2.norm1",
        after(2, 8, 8),
    ),
    "timm pvt, a tall photo": (
        lambda: timm.create_model("pvt_v2_b0", num_classes=5),
        (96, 64),
        "stages.1.blocks.0",
        lambda x: swinT_reshape_transform(x, 12, 8),
    ),
    "torchvision swin, channels last": (
        lambda: models.SwinTransformer([4, 4], 12, [2, 2], [2, 2], [4, 4], num_classes=5),
        (64, 96),
        "features.3.1",
        lambda x: x.permute(0, 3, 1, 2),
    ),
    "torchvision swin v2, channels last": (
        lambda: models.SwinTransformer(
            [4, 4],
            12,
            [2, 2],
            [2, 2],
            [4, 4],
            num_classes=5,
            block=models.swin_transformer.SwinTransformerBlockV2,
            downsample_layer=models.swin_transformer.PatchMergingV2,
        ),
        (64, 64),
        "features.1.1",
        lambda x: x.permute(0, 3, 1, 2),
    ),
    "timm swin, channels last, of one size": (
        lambda: timm.create_model(
            "swin_tiny_patch4_window7_224",
            embed_dim=12,
            depths=(2, 2),
            num_heads=(2, 2),
            img_size=(64, 96),
            window_size=4,
            num_classes=5,
        ),
        (64, 96),
        "layers.0.blocks.1",
        lambda x: x.permute(0, 3, 1, 2),
    ),
    "Hugging Face swin": (
        lambda: hugging_face(
            "Swin",
            image_size=64,
            embed_dim=8,
            depths=[2, 2],
            num_heads=[2, 2],
            window_size=4,
        ),
        (64, 64),
        "network.swin.encoder.layers.0.blocks.1.layernorm_after",  # a block's own output is a tuple
        lambda x: swinT_reshape_transform(x, 16, 16),
    ),
    "Hugging Face vit": (
        lambda: hugging_face(
            "ViT",
            image_size=64,
            patch_size=8,
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=32,
        ),
        (64, 64),
        "network.vit.layers.1",
        lambda x: vit_reshape_transform(x, 8, 8),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_are_those_of_pytorch_grad_cam(name):
    make, size, layer, reshape = NETWORKS[name]
    torch.manual_seed(0)
    network = make().double().eval()
    for parameter in network.parameters():  # some begin with a head of zeros, or nearly
        if parameter.abs().max() < 1e-3:
            nn.init.normal_(parameter, std=0.05)
    x = photo(1, 3, *size, dtype=torch.float64)

    graph = ActivationsAndGradients(network, [network.get_submodule(layer)], reshape)
    (LOUD * graph(x)[0, TARGET]).backward()
    a, g = graph.activations[0].numpy(), graph.gradients[0].numpy()
    graph.release()

    def loud(logits, target):
        return LOUD * logits.gather(1, target[:, None])[:, 0]

    found = cam.explain(network, x, TARGET, [layer], score=loud)
    told = cam.explain(network, x, TARGET, [layer], score=loud, reshape=reshape)
    for method, of_peer in PEER.items():
        with of_peer(network, [], reshape) as peer:
            raw = peer.get_cam_image(x, None, None, a, g, eigen_smooth=False)[0]
        expected = np.maximum(raw, 0)
        assert expected.any(), method
        assert found.with_method(method)[layer].shape == expected.shape
        tolerance = 1e-4 * expected.max()
        if method == "hirescam":  # before a layer norm the sum of G_k A_k nearly cancels
            tolerance = max(tolerance, 1e-6 * (np.abs(g) * np.abs(a)).sum(1).max())
        np.testing.assert_allclose(found.with_method(method)[layer], expected, atol=tolerance)
        np.testing.assert_allclose(told.with_method(method)[layer], expected, atol=tolerance)
