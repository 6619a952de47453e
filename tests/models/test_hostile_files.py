"""Files of weights and of background photos: cut off, pointing elsewhere, claiming too much."""

import gzip
import io
import json
import os
import pickle
import re
import shutil
import threading
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from benchmarks import fuzz
from combicam_widgets.geo import CellGrid
from combicam_widgets.models import atlas, load_model, naturalist
from combicam_widgets.models.atlas import model as atlas_model
from combicam_widgets.models.certh import Certh, checkpoint
from combicam_widgets.models.certh.mixture import read_mixture
from combicam_widgets.models.certh.network import FEATURES
from combicam_widgets.models.certh.retrieval import Background
from combicam_widgets.models.checkpoint import (
    check_tensors,
    read_lightning,
    read_safetensors,
    read_tensors,
)
from combicam_widgets.models.naturalist import gazetteer

REMEDY = "Copy it again from the shelf."
WEIGHT, BIAS = "mixture_weights.seq_model.0.weight", "mixture_weights.seq_model.0.bias"
COMPONENTS, PHOTOS = 8, 30


@pytest.mark.filterwarnings("ignore::UserWarning:torch", "ignore::UserWarning:benchmarks")
def test_five_hundred_hostile_files():
    for seed in range(500):
        fuzz.attempt("checkpoints", seed)


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(2)
    return CellGrid.from_centers(
        rng.uniform(-80, 80, COMPONENTS), rng.uniform(-180, 180, COMPONENTS)
    )


@pytest.fixture
def mixture(cells):
    return {
        "mvmf.mus": torch.from_numpy(np.stack([cells.latitudes, cells.longitudes])),
        "mvmf.kappas": torch.zeros(COMPONENTS, dtype=torch.float64),
        WEIGHT: torch.ones(COMPONENTS, FEATURES),
        BIAS: torch.arange(COMPONENTS).float(),
    }


def refused(read, path):
    """The message, which names the file and what to do, and no more than 100 MB was taken."""
    tracemalloc.start()
    before = peak_megabytes()
    try:
        with pytest.raises(ValueError, match=r".") as info:
            read(path)
        python = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    assert python + peak_megabytes() - before < 100
    message = str(info.value)
    assert str(path) in message
    assert REMEDY in message or f"{checkpoint.SOURCE}{path.name}" in message
    return message


def peak_megabytes():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def within_seconds(task, seconds=20):
    """Run a task that may wait for ever; what it returned or raised."""
    found = []

    def run():
        try:
            found.append(task())
        except Exception as error:  # noqa: BLE001  (handed back)
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "it waits"
    return found[0]


# Cut off


def zipped(tensors):
    file = io.BytesIO()
    torch.save(tensors, file)
    return file.getvalue()


def legacy(tensors):
    file = io.BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


@pytest.mark.parametrize("written", [zipped, legacy])
def test_a_mixture_that_is_cut_off_anywhere_is_named(written, mixture, tmp_path):
    whole, path = written(mixture), tmp_path / "mvmf_head.pt"
    path.write_bytes(whole)
    layer, read = read_mixture(path)
    torch.testing.assert_close(layer.bias, mixture[BIAS], check_stride=False)
    assert len(read.cells) == COMPONENTS
    for length in [0, 1, 2, 5, 20, 22, 23, 100, *range(0, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert "damaged or cut off" in refused(read_mixture, path)


def test_safetensors_that_are_cut_off_anywhere_are_named(tmp_path):
    tensors = {"a": torch.arange(50.0), "b": torch.zeros(3, 4).half()}
    whole, path = save(tensors), tmp_path / "weights.safetensors"

    def read(path):
        found = read_safetensors(path, REMEDY)
        check_tensors(path, found, tensors, REMEDY)
        return found

    path.write_bytes(whole)
    torch.testing.assert_close(read(path), tensors)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert "damaged, cut off or no safetensors file" in refused(read, path)


@pytest.fixture
def collection(tmp_path):
    """A small collection; every photo lies where the first does."""
    path = tmp_path / "back_coll_features.hdf5"
    with h5py.File(path, "w") as file:
        file["features"] = np.ones((PHOTOS, FEATURES), np.float16)
        file["labels"] = np.full((PHOTOS, 2), 12.0)
    return path


@pytest.fixture
def search(cells):
    return lambda path: Background(path, cells).candidates(
        int(np.ravel(cells.locate(12.0, 12.0))[0]), np.ones(FEATURES)
    )


def test_a_collection_that_is_cut_off_anywhere_is_named(collection, search):
    whole = collection.read_bytes()
    np.testing.assert_array_equal(search(collection), np.full((10, 2), 12.0))
    for length in [0, 1, 8, 100, *range(0, len(whole), 4001), len(whole) - 1]:
        collection.write_bytes(whole[:length])
        assert "damaged, cut off or no HDF5 file" in refused(search, collection)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cells.npz", "cells.npz"),
        ("weights.safetensors", "damaged, cut off or no safetensors file"),
    ],
)
def test_a_damaged_atlas_is_named(name, words, monkeypatch, tmp_path):
    home = atlas_model._HOME
    for each in ("cells.npz", "weights.safetensors"):
        content = (home / each).read_bytes()
        (tmp_path / each).write_bytes(content[: len(content) // 2] if each == name else content)
    monkeypatch.setattr(atlas_model, "_HOME", tmp_path)
    with pytest.raises(ValueError, match="pip install --force-reinstall combicam_widgets") as info:
        atlas.Atlas()
    assert str(tmp_path / name) in str(info.value)
    assert words in str(info.value)


def test_the_weights_of_another_atlas_are_named(monkeypatch, tmp_path):
    shutil.copy(atlas_model._HOME / "cells.npz", tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(save({"a": torch.zeros(1)}))
    monkeypatch.setattr(atlas_model, "_HOME", tmp_path)
    with pytest.raises(ValueError, match=r"weights\.safetensors lacks '.*' and \d+ more keys"):
        atlas.Atlas()


@pytest.mark.parametrize(
    ("name", "spoil", "read"),
    [
        ("gazetteer.csv", lambda b: b[:50_000], gazetteer.read_bumps),
        ("gazetteer.csv", lambda b: b.replace(b"spread_km", b"spread_kn"), gazetteer.read_bumps),
        ("gazetteer.csv", lambda b: b.replace(b",550,", b",wide,", 1), gazetteer.read_bumps),
        ("gazetteer.csv", lambda b: b.replace(b"tench", b"\xff", 1), gazetteer.read_bumps),
        ("classes.txt", lambda b: b[: b.index(b"koala")], gazetteer.read_classes),
        ("classes.txt", lambda _: b"", gazetteer.read_classes),
        ("cells.npz", lambda b: b[:20_000], gazetteer.read_habitat),
        ("cells.npz", lambda b: b[:-1], gazetteer.read_habitat),
    ],
)
def test_damaged_files_of_the_naturalist_are_named(name, spoil, read, monkeypatch, tmp_path):
    assert naturalist.Naturalist  # the package whose files these are
    content = (gazetteer._DATA / name).read_bytes()
    (tmp_path / name).write_bytes(spoil(content))
    monkeypatch.setattr(gazetteer, "_DATA", tmp_path)
    with pytest.raises(ValueError, match="pip install --force-reinstall combicam_widgets") as info:
        read()
    assert str(tmp_path / name) in str(info.value)


def test_a_table_of_other_cells_is_refused(monkeypatch, tmp_path):
    with np.load(gazetteer._DATA / "cells.npz") as whole:
        arrays = {**whole, "area_km2": whole["area_km2"][:-1]}
    np.savez(tmp_path / "cells.npz", **arrays)
    monkeypatch.setattr(gazetteer, "_DATA", tmp_path)
    with pytest.raises(ValueError, match="facts are not as many as its cells"):
        gazetteer.read_habitat()


# Saved in another way


def named_module(mixture):
    return {f"module.{name}": tensor for name, tensor in mixture.items()}


def halved(mixture):
    return {name: tensor.half() for name, tensor in mixture.items()}


class Linear(nn.Linear):
    """A whole module, which cannot be read without its code."""


@pytest.mark.parametrize("written", [zipped, legacy])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (named_module, f"lacks '{BIAS}' and 3 more keys, and holds 'module.{BIAS}' and 3 more"),
        (lambda m: {"state_dict": m}, "and 3 more keys, and holds 'state_dict' instead"),
        (lambda m: {**m, "more": m[BIAS]}, "must not hold 'more'"),
        (lambda m: {**m, 7: m[BIAS], None: m[BIAS]}, "must not hold 7 and 1 more key:"),
        (lambda m: {**m, BIAS: None}, f"'{BIAS}' in .* but is a NoneType"),
        (lambda m: {**m, BIAS: m[BIAS][:-1].clone()}, r"but is a float32 tensor of shape \(7,\)"),
        (halved, r"must be a float64 tensor of shape \(2, 8\), but is a float16 tensor"),
        (lambda m: list(m.items()), "tensors by name, but holds a list"),
        (lambda m: m[BIAS], "tensors by name, but holds a Tensor"),
        (lambda _: {}, "lacks .* and 3 more keys: it belongs"),
        (lambda _: Linear(2, 2), "holds more than tensors, such as code; nothing in it was run"),
        (lambda m: {**m, BIAS: m[BIAS].numpy()}, "holds more than tensors"),
    ],
)
def test_what_was_saved_in_another_way_is_told(written, change, words, mixture, tmp_path):
    path = tmp_path / "mvmf_head.pt"
    path.write_bytes(written(change(mixture)))
    assert re.search(words, refused(read_mixture, path))


OTHER_FILES = {
    "empty": b"",
    "nothing but zeros": bytes(2000),
    "a page that says 404": b"<!doctype html><html><title>404 Not Found</title></html>",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\nsize 123\n",
    "compressed": gzip.compress(bytes(2000)),
    "a pickle": pickle.dumps({"a": [1]}),
    "a safetensors file": save({"a": torch.zeros(3)}),
    "an archive of something else": b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("content", OTHER_FILES.values(), ids=OTHER_FILES)
def test_other_files_are_no_weights(content, tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(content)
    right = {read_safetensors} if content == OTHER_FILES["a safetensors file"] else set()
    for read in {read_tensors, read_lightning, read_safetensors} - right:
        refused(lambda path, read=read: read(path, REMEDY), path)


@pytest.mark.parametrize("read", [read_tensors, read_lightning, read_safetensors])
def test_a_folder_is_no_file(read, tmp_path):
    with pytest.raises(IsADirectoryError, match=r"is a folder, and must be a file\. Copy it again"):
        read(tmp_path, REMEDY)


@pytest.mark.parametrize("name", ["certh", "geoestimation"])
def test_a_file_is_no_folder(name, tmp_path):
    (tmp_path / "weights.pt").touch()
    with pytest.raises(NotADirectoryError, match=r"weights.pt is a file. Give the folder that"):
        load_model(name, weights=tmp_path / "weights.pt")


def with_header(change, rest=bytes(16)):
    """A safetensors file of four numbers whose header was changed, as a dict or as bytes."""
    header = {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
    changed = change(header)
    text = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
    return len(text).to_bytes(8, "little") + text + rest


def changed(**facts):
    return lambda header: {"a": {**header["a"], **facts}}


HEADERS = {
    "no JSON": with_header(lambda _: b"{no}"),
    "a list": with_header(lambda _: b"[]"),
    "nothing": with_header(lambda _: b"null"),
    "deep": with_header(lambda _: b"[" * 100_000),
    "no text": with_header(lambda _: b'{"\xff": 1}'),
    "another type": with_header(changed(dtype="F33")),
    "a wider type": with_header(changed(dtype="F64")),
    "a negative side": with_header(changed(shape=[-4])),
    "more numbers than there": with_header(changed(shape=[2**33, 2**33])),
    "backwards": with_header(changed(data_offsets=[16, 0])),
    "past the end": with_header(changed(data_offsets=[0, 10**9])),
    "a gap": with_header(changed(data_offsets=[8, 24]), bytes(24)),
    "bytes left over": with_header(lambda h: h, bytes(17)),
    "cut off": with_header(lambda h: h, bytes(15)),
    "longer than the file": (2**40).to_bytes(8, "little") + bytes(100),
    "far longer": (2**64 - 1).to_bytes(8, "little") + bytes(100),
}


def test_the_header_that_the_others_are_made_of_is_right(tmp_path):
    (tmp_path / "good").write_bytes(with_header(lambda header: header))
    read = read_safetensors(tmp_path / "good", REMEDY)
    assert read.keys() == {"a"}
    assert read["a"].tolist() == [0.0] * 4


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_a_wrong_header_is_named(content, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    words = refused(lambda path: read_safetensors(path, REMEDY), path)
    assert "damaged, cut off or no safetensors file" in words


# More claimed than there


def test_a_small_file_that_claims_gigabytes_takes_none(mixture, tmp_path):
    path, rows = tmp_path / "mvmf_head.pt", 2_000_000
    claims = {
        "mvmf.mus": torch.zeros(1, dtype=torch.float64).expand(2, rows),
        "mvmf.kappas": torch.zeros(1, dtype=torch.float64).expand(rows),
        WEIGHT: torch.zeros(1).expand(rows, FEATURES),
        BIAS: torch.zeros(1).expand(rows),
    }
    torch.save(claims, path)
    assert path.stat().st_size < 3000  # and claims 14 GB
    assert "fewer than its shape says" in refused(read_mixture, path)
    for key, claim in claims.items():
        for claimed in (claim, mixture[key].flatten()[:1].clone().expand(mixture[key].shape)):
            torch.save({**mixture, key: claimed}, path)
            assert "mvmf_head.pt must be a " in refused(read_mixture, path)
    far = torch.zeros(1, dtype=torch.float64).expand(2**60)
    torch.save({**mixture, "mvmf.kappas": far}, path)
    assert "must be a float64 tensor" in refused(read_mixture, path)


def test_tensors_may_share_numbers_or_be_transposed(tmp_path):
    """Only what is not there is refused, not unusual ways to keep what is."""
    both = torch.arange(12.0).reshape(3, 4)
    tensors = {"whole": both, "row": both[1], "turned": both.T, "again": nn.Parameter(both)}
    torch.save(tensors, tmp_path / "x.pt")
    found = read_tensors(tmp_path / "x.pt", REMEDY)
    check_tensors(tmp_path / "x.pt", found, tensors, REMEDY)
    torch.testing.assert_close(found["turned"], both.T)


def with_pickle(content, change):
    """A file of torch.save with another pickle in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            record = old.read(name)
            new.writestr(name, change(record) if name.endswith("data.pkl") else record)
    return file.getvalue()


class Long:
    """Pickled, it becomes so many bytes; the files of torch.save may hold such."""

    def __reduce__(self):
        return bytearray, (2_000_000_000,)


@pytest.mark.parametrize(
    "content",
    [
        with_pickle(zipped({"a": torch.zeros(1)}), lambda _: pickle.dumps({"a": Long()}, 2)),
        b"".join(pickle.dumps(part, 2) for part in (Long(), 1, 1, 1, 1)),
        with_pickle(
            zipped({"a": torch.zeros(1)}),
            lambda _: b"\x80\x02ctorch\nFloatTensor\nJ\xff\xff\xff\x7f\x85R.",
        ),
    ],
    ids=["bytes", "bytes, legacy", "tensor"],
)
def test_objects_that_are_as_large_as_they_say_are_not_made(content, tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    assert "holds more than tensors" in refused(lambda path: read_tensors(path, REMEDY), path)


def test_compressed_or_overlapping_records_are_not_unpacked(tmp_path):
    path = tmp_path / "x.pt"
    whole = zipped({"a": torch.zeros(60_000_000, dtype=torch.uint8)})
    with (
        zipfile.ZipFile(io.BytesIO(whole)) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert path.stat().st_size < 100_000
    del whole
    assert "damaged" in refused(lambda path: read_tensors(path, REMEDY), path)
    one = zipped({"a": torch.zeros(1000)})
    with zipfile.ZipFile(io.BytesIO(one)) as archive:
        record = next(r for r in archive.infolist() if r.filename.endswith("data/0"))
        directory = one.index(b"PK\x01\x02")
    at = one.index(record.filename.encode(), directory)
    entry = bytearray(one[at - 46 : at])
    entry[24:28] = (10**6).to_bytes(4, "little")  # how large the record says it is
    path.write_bytes(one[: at - 46] + bytes(entry) + one[at:])
    assert "damaged" in refused(lambda path: read_tensors(path, REMEDY), path)


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"fillvalue": 1.0},
        {"chunks": (2**14, 2)},
        {"chunks": (2**14, 2), "compression": "gzip"},
        {"chunks": (2**14, 2), "shuffle": True, "fletcher32": True},
    ],
    ids=str,
)
def test_a_collection_of_rows_that_were_never_written_is_refused(layout, tmp_path, search):
    path = tmp_path / "back_coll_features.hdf5"
    for written in (0, 100):
        with h5py.File(path, "w") as file:
            labels = file.create_dataset("labels", (10**8, 2), "f8", **layout)
            file.create_dataset("features", (10**8, FEATURES), "f4")
            if written and layout.get("chunks"):
                labels[:written] = 10.0
        assert path.stat().st_size < 10**6
        message = refused(search, path)
        assert "claims 7" in message or "claims 1,600,000,000 bytes, but holds" in message


@pytest.mark.parametrize("filters", [{}, {"compression": "gzip"}, {"shuffle": True}], ids=str)
def test_honest_chunks_are_read(filters, tmp_path, search):
    path = tmp_path / "back_coll_features.hdf5"
    with h5py.File(path, "w") as file:
        features = np.random.default_rng(0).normal(size=(PHOTOS, FEATURES)).astype("f2")
        labels = np.random.default_rng(1).normal(12, 1e-3, (PHOTOS, 2))
        file.create_dataset("features", data=features, chunks=(7, 100), **filters)
        file.create_dataset("labels", data=labels, chunks=(7, 2), **filters)
    best = np.argsort(-features.astype("f4").sum(1))[:10]
    np.testing.assert_array_equal(search(path), labels[best])


# Elsewhere


@pytest.fixture
def pipe(tmp_path):
    """Whoever opens it to read waits."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def elsewhere(how, name, pipe):
    width = FEATURES if name == "features" else 2
    shape = (PHOTOS, width)

    def write(file):
        if how == "external link":
            file[name] = h5py.ExternalLink(str(pipe), name)
        elif how == "soft link":
            file["way"] = h5py.ExternalLink(str(pipe), "/")
            file[name] = h5py.SoftLink(f"/way/{name}")
        elif how == "external storage":
            file.create_dataset(name, shape, "f4", external=[(str(pipe), 0, PHOTOS * width * 4)])
        else:
            unlimited = how == "growing virtual dataset"
            whole = (h5py.h5s.UNLIMITED, width) if unlimited else shape
            layout = h5py.VirtualLayout(shape, "f4", maxshape=(None, width))
            source = h5py.VirtualSource(str(pipe), name, shape, maxshape=(None, width))
            if unlimited:
                layout[: whole[0], :] = source[: whole[0], :]
            else:
                layout[:] = source
            file.create_virtual_dataset(name, layout)

    return write


@pytest.mark.parametrize("name", ["features", "labels"])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("external link", "is a link to another place, which is not followed"),
        ("soft link", "is a link to another place, which is not followed"),
        ("external storage", "is stored in other files, which are not opened"),
        ("virtual dataset", "is stored in other files, which are not opened"),
        ("growing virtual dataset", "is stored in other files, which are not opened"),
    ],
)
def test_nothing_is_opened_but_the_file_itself(how, words, name, pipe, collection, search):
    with h5py.File(collection, "r+") as file:
        del file[name]
        elsewhere(how, name, pipe)(file)
    assert f"{name!r} {words}" in within_seconds(lambda: refused(search, collection))


@pytest.mark.parametrize(
    "read",
    [
        read_mixture,
        lambda path: read_tensors(path, REMEDY),
        lambda path: read_safetensors(path, REMEDY),
    ],
)
def test_a_pipe_is_not_waited_for(read, pipe):
    assert "is no file but a pipe" in within_seconds(lambda: refused(read, pipe))


@pytest.mark.parametrize("name", ["efficientnet_backbone.pt", "mvmf_head.pt", "rrm_head.pt"])
def test_a_pipe_in_the_folder_is_not_waited_for(name, tmp_path, monkeypatch):
    for each in ("efficientnet_backbone.pt", "mvmf_head.pt", "rrm_head.pt"):
        (os.mkfifo if each == name else open)(tmp_path / each, *([] if each == name else ["w"]))
    from combicam_widgets.models.certh import model

    for reader, each in {
        "read_backbone": "efficientnet_backbone.pt",
        "read_mixture": "mvmf_head.pt",
    }.items():
        if each != name:
            monkeypatch.setattr(model, reader, lambda _path: ())
    found = within_seconds(lambda: Certh.from_folder(tmp_path))
    assert isinstance(found, ValueError)
    assert f"{tmp_path / name} is no file but a pipe" in str(found)


def test_a_collection_that_is_a_pipe_is_not_waited_for(search, tmp_path):
    path = tmp_path / "back_coll_features.hdf5"
    os.mkfifo(path)
    assert "is no file but a pipe" in within_seconds(lambda: refused(search, path))


PAIR = np.dtype([("latitude", "f8"), ("longitude", "f8")])
KINDS = {
    "text": lambda file: file.create_dataset("labels", (PHOTOS, 2), h5py.string_dtype()),
    "lists": lambda file: file.create_dataset("labels", (PHOTOS, 2), h5py.vlen_dtype(float)),
    "references": lambda file: file.create_dataset("labels", (PHOTOS, 2), h5py.ref_dtype),
    "regions": lambda file: file.create_dataset("labels", (PHOTOS, 2), h5py.regionref_dtype),
    "pairs": lambda file: file.create_dataset("labels", data=np.zeros(PHOTOS, PAIR)),
    "complex": lambda file: file.create_dataset("labels", data=np.zeros((PHOTOS, 2), complex)),
    "truth": lambda file: file.create_dataset("labels", data=np.zeros((PHOTOS, 2), bool)),
    "one number": lambda file: file.create_dataset("labels", data=1.0),
    "empty": lambda file: file.create_dataset("labels", data=h5py.Empty("f8")),
}


@pytest.mark.parametrize("write", KINDS.values(), ids=KINDS)
def test_other_kinds_of_data_are_refused_in_words(write, collection, search):
    with h5py.File(collection, "r+") as file:
        del file["labels"]
        write(file)
    assert "'labels' must hold floating numbers of shape (K, 2), not" in refused(search, collection)


def test_a_filter_that_is_not_installed_is_named(collection, search):
    with h5py.File(collection, "r+") as file:
        del file["labels"]
        # Zstandard, by its number; optional, so that the file can be written without it.
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((PHOTOS, 2))
        plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple((PHOTOS, 2))
        labels = h5py.h5d.create(file.id, b"labels", h5py.h5t.NATIVE_DOUBLE, space, plan)
        labels.write(h5py.h5s.ALL, h5py.h5s.ALL, np.full((PHOTOS, 2), 12.0))
    assert "(HDF5 filter 32015), which is not installed" in refused(search, collection)
