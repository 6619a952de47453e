"""Many photos: the same as one by one, in whatever form they come, and resumed without loss."""

import csv
import gc
import io
import weakref

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_many import a_model, some_photos
from torch import nn
from torch.utils.data import Dataset

import combicam_widgets as ccw
from combicam_widgets.many import task
from combicam_widgets.running import Given


@pytest.mark.parametrize("kept", ["memory", "folder"])
def test_each_photo_is_explained_as_it_is_alone(kept, tmp_path):
    model, photos = a_model(), some_photos(7)
    out = tmp_path / "out" if kept == "folder" else None
    many = ccw.explain_many(model, photos, methods=["layercam"], positions=True, batch=3, out=out)
    assert many.model is model
    if out is not None:
        many = ccw.read_many(out)
        assert many.model is None
    table = many.table()
    assert list(table.photo) == [photo.name for photo in photos]
    assert many.layers == model.layers
    assert (table.error == "").all()
    for i, photo in enumerate(photos):
        alone = model.explain(photo, methods=["gradcam", "layercam"])
        best = model.prediction_of(alone).best
        row = table.loc[i]
        assert (row.cell, row.latitude, row.longitude) == (
            best.index,
            best.latitude,
            best.longitude,
        )
        assert row.place == best.place
        assert row.probability == pytest.approx(best.probability, rel=1e-5)
        assert row.distance_km == pytest.approx(
            model.prediction_of(alone).distance_to(*photo.position)
        )
        found = many.maps(i)
        assert found.names == alone.names
        assert found.size == alone.size
        assert found.target == alone.target
        for method in ("gradcam", "layercam"):
            for x, y in zip(
                found.with_method(method).maps, alone.with_method(method).maps, strict=True
            ):
                assert np.abs(x - y).max() <= 1e-3 * y.max()
        view = model.view(photo).shape[2:]
        heatmap = many.heatmap(i)
        assert heatmap.shape == view
        assert heatmap.dtype == np.float32
        assert np.abs(heatmap - alone.fuse(size=view)).max() < 3e-3
        shares = alone.shares()
        for name, share in shares.items():
            assert row[f"share: {name}"] == pytest.approx(share, abs=0.02)
        assert row[[f"share: {name}" for name in shares]].sum() == pytest.approx(1)
        assert row.carried_by == max(shares, key=shares.get)


def test_maps_too_small_for_float16_are_not_lost(tmp_path):
    model = a_model(scale=1e-7)
    (photo,) = some_photos(1)
    many = ccw.explain_many(model, [photo], out=tmp_path / "out")
    alone = model.explain(photo, methods="gradcam")
    assert 0 < max(x.max() for x in alone.maps) < 6e-8
    assert (
        np.abs(ccw.read_many(many.folder).heatmap(0, size=alone.size) - alone.fuse()).max() < 3e-3
    )


class Pictures(Dataset):
    def __init__(self, photos, form):
        self.photos, self.form = photos, form

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, i):
        return self.form(self.photos[i]), i


def as_tensor(photo):
    return torch.from_numpy(photo.pixels.copy()).permute(2, 0, 1) / 255


def table_of(folder, tmp_path):
    file = tmp_path / "list.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["Path", "lat", "lon"])
        writer.writerows([[f"photos/{i}.png", i, -i] for i in range(5)])
    return file


FORMS = {
    "a folder": lambda folder, _: folder,
    "a folder, as text": lambda folder, _: str(folder),
    "a glob": lambda folder, _: str(folder / "**" / "*.png"),
    "paths": lambda folder, _: sorted(folder.rglob("*.png")),
    "photos": lambda *_: some_photos(7),
    "a generator": lambda *_: iter(some_photos(7)),
    "a mapping": lambda *_: {photo.name: photo for photo in some_photos(7)},
    "a data set of PIL images": lambda *_: Pictures(some_photos(7), ccw.Photo.to_pil),
    "a data set of tensors": lambda *_: Pictures(some_photos(7), as_tensor),
    "a table": table_of,
}


@pytest.mark.parametrize("form", FORMS)
def test_photos_come_in_many_forms(form, folder_of_photos, tmp_path):
    model = a_model()
    expected = [model.predict(photo).best.probability for photo in some_photos(7)]
    table = ccw.explain_many(model, FORMS[form](folder_of_photos, tmp_path), batch=4).table()
    assert len(table) == (5 if form == "a table" else 7)
    assert (table.error == "").all()
    assert np.allclose(table.probability, expected[: len(table)], rtol=1e-5)
    assert table.photo.is_unique
    assert table.distance_km.notna().all() == (form == "a table")


def test_what_is_no_picture_in_a_folder_is_passed_over(folder_of_photos):
    # Pillow then takes no ending for that of a picture.
    Image.new("F", (4, 4)).save(io.BytesIO(), "SPIDER")
    (folder_of_photos / "README").write_text("no picture")
    (folder_of_photos / "paper.pdf").write_bytes(b"%PDF-1.7")
    (folder_of_photos / "album.jpg").mkdir()
    (folder_of_photos / "more").joinpath("6.png").rename(folder_of_photos / "album.jpg" / "6.png")
    table = ccw.explain_many(a_model(), folder_of_photos, batch=4).table()
    assert list(table.photo) == [f"{i}.png" for i in range(5)] + ["album.jpg/6.png", "more/5.png"]
    assert (table.error == "").all()


@pytest.mark.parametrize("form", [ccw.Photo.to_pil, as_tensor], ids=["PIL images", "tensors"])
def test_pictures_that_a_data_set_gives_twice_are_told(form, tmp_path):
    first = some_photos(5)
    photos = [*first[:3], first[1], first[3], first[0], first[4]]
    told = ["", "", "", "the same picture as '000001'", "", "the same picture as '000000'", ""]
    model, out = a_model(), tmp_path / "out"

    def stop(done, _total):
        if done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ccw.explain_many(model, Pictures(photos, form), batch=2, out=out, progress=stop)
    many = ccw.explain_many(model, Pictures(photos, form), batch=2, out=out)
    assert list(many.table().error) == told
    with pytest.raises(ValueError, match="the same picture as '000001'"):
        many.photo(3)
    for _ in range(2):
        assert (many.photo(1).pixels == first[1].pixels).all()
    model.network.photos = 0
    again = ccw.explain_many(model, Pictures(photos, form), batch=2, out=out)
    assert model.network.photos == 0
    assert again.table().equals(many.table())
    arrays = [photo.pixels for photo in photos]
    errors = ccw.explain_many(model, arrays).table().error
    assert list(errors != "") == [error != "" for error in told]


def test_positions_stored_in_photos_are_told_only_if_asked_for(tmp_path):
    photos = [ccw.Photo(photo.pixels, (12.3456789, 98.7654321)) for photo in some_photos(2)]
    out = tmp_path / "out"
    table = ccw.explain_many(a_model(), photos, out=out).table()
    assert table[["true_latitude", "true_longitude", "distance_km"]].isna().all(axis=None)
    for file in out.rglob("*"):
        assert not file.is_file() or b"12.3456" not in file.read_bytes()
    table = ccw.explain_many(a_model(), photos, positions=True).table()
    assert list(table.true_latitude) == [12.3456789] * 2


def test_a_second_run_computes_nothing_twice(folder_of_photos, tmp_path):
    model, out = a_model(), tmp_path / "out"
    calls = []

    def stop(done, total):
        calls.append((done, total))
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        ccw.explain_many(model, folder_of_photos, batch=2, out=out, progress=stop)
    assert "4 photos are done" in stopped.value.__notes__[0]
    assert calls == [(0, 7), (2, 7), (4, 7)]
    assert len(ccw.read_many(out)) == 4
    assert repr(ccw.read_many(out)) == "Many(tiny: 4 of 7, 0 with errors)"
    model.network.photos = 0
    many = ccw.explain_many(model, folder_of_photos, batch=2, out=out)
    assert model.network.photos == 3 + 1  # and the first, to see that the model can be asked
    whole = ccw.explain_many(model, folder_of_photos, batch=2, out=tmp_path / "whole")
    assert many.table().equals(whole.table())
    for i in range(7):
        assert (many.heatmap(i) == whole.heatmap(i)).all()
    model.network.photos = 0
    assert ccw.explain_many(model, folder_of_photos, batch=2, out=out).table().equals(whole.table())
    assert model.network.photos == 0


def test_photos_of_a_generator_are_not_held(tmp_path):
    alive, most = weakref.WeakSet(), []

    def given():
        for photo in some_photos(40):
            copy = ccw.Photo(photo.pixels, name=photo.name)
            alive.add(copy)
            yield copy

    def look(_done, _total):
        gc.collect()
        most.append(len(alive))

    many = ccw.explain_many(a_model(), given(), batch=4, out=tmp_path / "out", progress=look)
    assert len(many) == 40
    assert max(most) <= 3 * 4
    del look
    gc.collect()
    assert not alive


def test_a_bar_is_drawn_where_it_is_wanted(capsys):
    for progress, drawn in ((True, True), (False, False), (None, False)):
        ccw.explain_many(a_model(), some_photos(3), batch=2, progress=progress)
        said = capsys.readouterr()
        assert ("3/3" in said.err) == drawn
        assert said.out == ""


def test_a_network_of_one_size_is_fitted_before_it_is_asked_in_batches():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3, stride=16), nn.ReLU()), nn.Flatten(), nn.Linear(784, 4)
    ).eval()
    network[2].bias.data += torch.tensor([2.0, -2, 0, 1])
    cells = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90])
    model = ccw.GeoModel(network, cells, layers=["0"])
    with pytest.warns(UserWarning, match="squeezed"):
        table = ccw.explain_many(model, some_photos(5)).table()
    assert (table.error == "").all()
    expected = [model.predict(photo).best.probability for photo in some_photos(5)]
    assert np.allclose(table.probability, expected, rtol=1e-5)


def test_photos_go_where_the_model_is_all_of_one_size_at_once(monkeypatch):
    """On the device "meta", which computes nothing: that far, a batch is never on the CPU."""
    model, photos = a_model(), some_photos(20, [(50, 50)])
    assert model.layers
    model.predict(photos[0])
    views = [task.Read(Given(photo.name, photo), "", model.transformed(photo)) for photo in photos]
    assert [len(some) for some in task._passes(model, views)] == [8, 8, 4]
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _kind: False)  # it knows no "meta"
    model.to("meta")
    (at_once,) = task._passes(model, views)
    seen, made = [], []
    model.network.second.register_forward_pre_hook(lambda _module, x: seen.append(x[0].shape[0]))
    model.network.second.register_forward_hook(lambda _module, _x, y: made.append(y.device.type))
    batch = torch.cat([read.view for read in at_once])
    assert batch.device.type == "cpu"
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        model.explain_views(batch, ["gradcam"])  # until numbers are asked for
    assert (seen, made) == ([20], ["meta"])


def test_photos_are_read_again_from_where_they_lie(folder_of_photos, tmp_path):
    out = tmp_path / "out"
    ccw.explain_many(a_model(), folder_of_photos, out=out)
    many = ccw.read_many(out)
    for i, photo in enumerate(some_photos(7)):
        assert (many.photo(i).pixels == photo.pixels).all()
    (folder_of_photos / "0.png").unlink()
    with pytest.raises(FileNotFoundError):
        many.photo(0)
    ccw.explain_many(a_model(), some_photos(2), out=tmp_path / "other")
    with pytest.raises(LookupError, match="give explain_many"):
        ccw.read_many(tmp_path / "other").photo(0)
