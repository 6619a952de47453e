"""On a cluster of two processes: the same, bit for bit, even if one of them is killed."""

import os
import signal
import sys
import types

import numpy as np
import pytest
import torch
from distributed import Client, LocalCluster
from torch import nn
from torch.nn.functional import avg_pool2d
from torch.utils.data import Dataset

import combicam_widgets as ccw
from combicam_widgets import evaluation
from combicam_widgets.models.transforms import WholePhoto
from combicam_widgets.running import Given, cluster

pytestmark = pytest.mark.xdist_group("dask")


@pytest.fixture(scope="module")
def client():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with (
        LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as two,
        Client(two) as client,
    ):
        yield client
    torch.set_num_threads(threads)


def a_model(head=None):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 12, 3, stride=2), nn.ReLU()),
        head or nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.Linear(12, 4),
    ).eval()
    cells = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90], list("abcd"))
    return ccw.GeoModel(network, cells, WholePhoto(64), ["0", "1"], name="mine")


def some_photos(n):
    random = np.random.default_rng(1)
    return [
        ccw.Photo(random.integers(0, 256, (30 + i % 2 * 20, 40, 3), np.uint8), (i, i))
        for i in range(n)
    ]


def assert_same(one, other):
    assert one.table().equals(other.table())
    for i in range(len(one)):
        for x, y in zip(one.maps(i).maps, other.maps(i).maps, strict=True):
            assert (x == y).all()
        assert (one.maps(i).probabilities == other.maps(i).probabilities).all()


def kill_one(client):
    """Kill a worker as the system does when memory runs out; return its process."""
    victim = min(client.run(os.getpid).values())
    os.kill(victim, signal.SIGKILL)
    return victim


def test_a_killed_worker_loses_nothing(client, tmp_path):
    model, photos = a_model(), some_photos(24)
    measures = ["drop"]
    killed = []

    def kill(done, _total):
        if done and not killed:
            killed.append(kill_one(client))

    many = ccw.explain_many(
        model,
        photos,
        measures=measures,
        positions=True,
        batch=3,
        client=client,
        out=tmp_path / "out",
        progress=kill,
    )
    client.wait_for_workers(2)
    assert killed[0] not in client.run(os.getpid).values()
    assert (many.table().error == "").all()
    alone = ccw.explain_many(model, photos, measures=measures, positions=True, batch=3)
    assert_same(many, alone)
    assert_same(ccw.read_many(tmp_path / "out"), alone)


def test_the_shipped_models_travel(client):
    model = ccw.load_model("naturalist")
    photos = [ccw.sample(name) for name in ("koala", "panda", "kangaroo")]
    many = ccw.explain_many("naturalist", photos, candidates=["hirescam, mean"], client=client)
    assert_same(many, ccw.explain_many(model, photos, candidates=["hirescam, mean"]))
    assert many.table().seen[0].startswith("koala 0.9")
    assert client.run(lambda dask_worker: [n for n in dask_worker.plugins if "combicam" in n]) == {
        worker: [] for worker in client.nthreads()
    }


def test_photos_that_the_workers_cannot_reach_are_sent(client, tmp_path, monkeypatch):
    for i, photo in enumerate(some_photos(4)):
        photo.to_pil().save(tmp_path / f"{i}.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    alone = ccw.explain_many(a_model(), tmp_path, batch=2)
    alone = alone.table().drop(columns="error")
    for seen in (True, False):
        monkeypatch.setattr(cluster._Reach, "_is_seen", lambda _self, _path, seen=seen: seen)
        table = ccw.explain_many(a_model(), tmp_path, batch=2, client=client).table()
        assert table.drop(columns="error").equals(alone)
        assert list(table.error != "") == [False] * 4 + [True]


class Pictures(Dataset):
    """Of this process: only what it gives travels."""

    def __len__(self):
        return 5

    def __getitem__(self, i):
        if i == 3:
            raise OSError("the archive is gone")
        return some_photos(5)[i].to_pil(), "label"


def test_the_pictures_of_a_data_set_are_sent(client):
    alone = ccw.explain_many(a_model(), Pictures(), batch=2)
    found = ccw.explain_many(a_model(), Pictures(), batch=2, client=client)
    assert found.table().equals(alone.table())
    assert list(found.table().error) == ["", "", "", "OSError: the archive is gone", ""]


def test_a_study_is_the_same_there(client):
    model, photos = a_model(), some_photos(4)
    given = {"candidates": ["last layer", "by worth"], "steps": 4}
    found = evaluation.study(model, photos, client=client, **given)
    alone = evaluation.study(model, photos, **given)
    assert found.rows == alone.rows
    assert len(alone.photos) == 4
    module = model.network
    batches = [model.view(photo) for photo in photos]
    given = {"candidates": ["gradcam, max"], "measures": ["drop"]}
    assert (
        evaluation.study(module, batches, client=client, **given).rows
        == evaluation.study(module, batches, **given).rows
    )


class OfThisTest(nn.Module):
    def forward(self, x):
        return avg_pool2d(x, x.shape[2:]).flatten(1)


def test_what_the_workers_could_not_import_is_told_and_nothing_pickled(client):
    class Local(OfThisTest):
        pass

    with pytest.raises(TypeError, match=r"model\[0\]\.network\._modules.*class '.*Local'.*module"):
        ccw.explain_many(a_model(Local()), some_photos(1), client=client)
    model = a_model()
    model.transform = lambda image: model._assumed(image).clone()
    with pytest.raises(TypeError, match=r"model\[0\]\.transform is the function '.*<lambda>'"):
        ccw.explain_many(model, some_photos(1), client=client)
    with pytest.raises(TypeError, match=r"client must be a distributed\.Client, not str"):
        ccw.explain_many(model, some_photos(1), client="localhost")


def test_a_worker_that_lacks_the_module_says_so(client, monkeypatch):
    home = types.ModuleType("only_here")
    home.Head = type("Head", (OfThisTest,), {"__module__": "only_here"})
    monkeypatch.setitem(sys.modules, "only_here", home)
    with pytest.raises(cluster.WorkerError, match="No module named 'only_here'"):
        ccw.explain_many(a_model(home.Head()), some_photos(1), client=client)


class Deadly:
    """A task that kills its worker when it meets one photo."""

    def prepare(self, _model, batch):
        return batch

    def work(self, _model, prepared):
        return [each.name for each in prepared]

    def failed(self, batch, error):
        return [f"{each.name}: {error[:12]}" for each in batch]


def test_a_photo_that_kills_every_worker_is_told_and_takes_no_other_along(client, monkeypatch):
    def work(name, batch):
        if any(given.name == "7" for given in batch):
            os.kill(os.getpid(), signal.SIGKILL)
        return [given.name for given in batch]

    monkeypatch.setattr(cluster, "_work", work)
    monkeypatch.setattr(cluster, "packed", lambda *_: ("null", b""))
    monkeypatch.setattr(cluster, "_RETRIES", 0)
    monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 0)
    batches = [tuple(Given(str(i), b"") for i in some) for some in ((1, 2), (6, 7), (8, 9))]
    found = [each.result for each in cluster.run(None, batches, Deadly(), client)]
    told = sorted(name for names in found for name in names)
    assert told == ["1", "2", "6", "7: KilledWorker", "8", "9"]
    client.wait_for_workers(2)
