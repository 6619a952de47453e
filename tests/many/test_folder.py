"""A folder is read without this package, as its SCHEMA.md says."""

import io
import json

import numpy as np
import pyarrow.parquet as pq
import zarr
from tiny_many import a_model, some_photos

import combicam_widgets as ccw


def test_the_folder_is_read_without_this_package(tmp_path):
    out = tmp_path / "out"
    photos = some_photos(7)
    many = ccw.explain_many(
        a_model(), photos, methods=["layercam"], measures=["drop"], batch=4, out=out
    )
    rows = pq.read_table(out / "table.parquet")
    assert rows.column_names == list(many.columns)
    for name in rows.column_names:
        told = rows.schema.field(name).metadata[b"meaning"].decode()
        assert told == many.columns[name][1]
        assert f"| `{name}` |" in (out / "SCHEMA.md").read_text()
    frame = rows.to_pandas()
    table = many.table()
    assert list(frame.photo) == list(table.photo)
    assert np.array_equal(frame.probability, table.probability)
    assert np.array_equal(frame["share: second"], table["share: second"])
    assert frame.distance_km.isna().all()
    facts = json.loads((out / "many.json").read_text())
    assert facts["layers"] == ["first", "second"]
    found = {}
    for file in sorted((out / "shards").glob("*.zarr.zip")):
        root = zarr.open_group(zarr.storage.ZipStore(file, mode="r"), mode="r")
        for _, group in root.groups():
            attributes = dict(group.attrs)
            assert attributes["methods"] == ["layercam", "gradcam"]
            for name, array in group.arrays():
                if name.startswith("maps_"):
                    assert array.dtype == np.float16
                    for i, photo in enumerate(attributes["photos"]):
                        for k, layer in enumerate(array.attrs["layers"]):
                            scale = group["scales"][i, 1, layer]
                            found[photo, layer] = array[i, 1, k].astype(np.float32) * scale
    assert len(found) == 2 * len(photos)
    for i, photo in enumerate(photos):
        for layer, x in enumerate(many.maps(i).maps):
            assert (found[photo.name, layer] == x).all()
    shards = [pq.read_table(file) for file in sorted((out / "shards").glob("*.parquet"))]
    assert [len(shard) for shard in shards] == [4, 3]


def test_results_of_equal_runs_are_equal_to_the_byte(tmp_path):
    for name in ("a", "b"):
        ccw.explain_many(a_model(), some_photos(3), out=tmp_path / name)
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(files) == 7
    for file in files:
        other = tmp_path / "b" / file.relative_to(tmp_path / "a")
        assert other.read_bytes() == file.read_bytes()


def test_photos_may_be_added_and_left_out(tmp_path):
    model, photos = a_model(), some_photos(6)
    given = {photo.name: photo for photo in photos}
    out = tmp_path / "out"
    ccw.explain_many(model, {name: given[name] for name in ("p4", "p1", "p2")}, out=out)
    model.network.photos = 0
    many = ccw.explain_many(
        model, {name: given[name] for name in ("p0", "p1", "p4", "p3")}, out=out
    )
    assert model.network.photos == 2 + 1
    assert many.names == ccw.read_many(out).names == ("p0", "p1", "p4", "p3")
    alone = ccw.explain_many(model, photos).table().set_index("photo")
    found = many.table().set_index("photo")
    assert np.allclose(found.probability, alone.probability[found.index], rtol=1e-5)
    many.to_parquet(tmp_path / "x.parquet")
    content = (tmp_path / "x.parquet").read_bytes()
    assert pq.read_table(io.BytesIO(content)).column("photo").to_pylist() == list(many.names)
