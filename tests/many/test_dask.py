"""On a cluster of two processes: the same, bit for bit, even if one of them is killed."""

import importlib
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
from combicam_widgets import cam, evaluation
from combicam_widgets.cam import methods, rules
from combicam_widgets.evaluation import Candidate
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


def test_a_run_that_is_stopped_leaves_the_cluster_and_goes_on_without_it(client, tmp_path):
    def stop(done, _total):
        if done >= 3:
            raise KeyboardInterrupt

    given = {"model": a_model(), "photos": some_photos(18), "batch": 3, "out": tmp_path / "out"}
    with pytest.raises(KeyboardInterrupt) as stopped:
        ccw.explain_many(**given, client=client, progress=stop)
    assert "the same call goes on" in stopped.value.__notes__[0]
    assert client.futures == {}
    assert not any(plugins for plugins in client.run(ours).values())
    done = len(ccw.read_many(given["out"]))
    assert 3 <= done < 18
    assert_same(ccw.explain_many(**given), ccw.explain_many(**given | {"out": None}))


def ours(dask_worker):
    """Which plugins of this package a worker has."""
    return [name for name in dask_worker.plugins if "combicam" in name]


def test_the_shipped_models_travel(client):
    model = ccw.load_model("naturalist")
    photos = [ccw.sample(name) for name in ("koala", "panda", "kangaroo")]
    many = ccw.explain_many("naturalist", photos, candidates=["hirescam, mean"], client=client)
    assert_same(many, ccw.explain_many(model, photos, candidates=["hirescam, mean"]))
    assert many.table().seen[0].startswith("koala 0.9")
    assert client.run(ours) == {worker: [] for worker in client.nthreads()}


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
        return 6

    def __getitem__(self, i):
        if i == 3:
            raise OSError("the archive is gone")
        return some_photos(5)[i % 5].to_pil(), "label"


def test_the_pictures_of_a_data_set_are_sent(client):
    alone = ccw.explain_many(a_model(), Pictures(), batch=2)
    found = ccw.explain_many(a_model(), Pictures(), batch=2, client=client)
    assert found.table().equals(alone.table())
    same = "the same picture as '000000'"
    assert list(found.table().error) == ["", "", "", "OSError: the archive is gone", "", same]


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

    with pytest.raises(TypeError, match=r"model\.network\._modules.*class '.*Local'.*module"):
        ccw.explain_many(a_model(Local()), some_photos(1), client=client)
    model = a_model()
    model.transform = lambda image: model._assumed(image).clone()
    with pytest.raises(TypeError, match=r"model\.transform is the function '.*<lambda>'"):
        ccw.explain_many(model, some_photos(1), client=client)
    with pytest.raises(TypeError, match=r"client must be a distributed\.Client, not str"):
        ccw.explain_many(model, some_photos(1), client="localhost")


def test_a_worker_that_lacks_the_module_says_so(client, monkeypatch):
    home = types.ModuleType("only_here")
    home.Head = type("Head", (OfThisTest,), {"__module__": "only_here"})
    monkeypatch.setitem(sys.modules, "only_here", home)
    with pytest.raises(cluster.WorkerError, match="No module named 'only_here'"):
        ccw.explain_many(a_model(home.Head()), some_photos(1), client=client)


OF_THEIR_OWN = """
import numpy as np
from combicam_widgets import cam

@cam.method("theirs, plain")
def activations(A, G):
    return A.clamp(min=0).mean(0) * (1 + G.abs().amax())

def weights(stack):
    return stack.weights

@cam.fusion_rule("theirs, median", "the middle one", weights)
def median(stack):
    return np.median([x for _, x in stack.upsampled()], axis=0)
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """Methods and rules in a module of somebody's, which only this process has so far."""
    name = f"theirs_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(OF_THEIR_OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(name)
    methods._own.pop("theirs, plain")
    rules._RULES.pop("theirs, median")


def test_methods_and_rules_in_modules_travel(client, theirs):
    own = Candidate("theirs", "theirs, plain", "theirs, median")
    given = {"candidates": ["Combi-CAM", own], "measures": ["drop"], "methods": ["theirs, plain"]}
    model, photos = a_model(), some_photos(5)
    with pytest.raises(cluster.WorkerError, match=f"No module named '{theirs.__name__}'"):
        ccw.explain_many(model, photos, batch=2, client=client, **given)
    client.upload_file(theirs.__file__)
    many = ccw.explain_many(model, photos, batch=2, client=client, **given)
    alone = ccw.explain_many(model, photos, batch=2, **given)
    assert (many.table().error == "").all()
    assert_same(many, alone)
    for i in range(5):
        assert (many.heatmap(i, "theirs") == alone.heatmap(i, "theirs")).all()
        assert (many.heatmap(i, "theirs") != alone.heatmap(i)).any()
    of_study = {"candidates": [own], "measures": ["drop"], "fills": ["blur"]}
    found = evaluation.study(model, photos, client=client, **of_study)
    assert not any(row.error for row in found.rows)
    assert found.rows == evaluation.study(model, photos, **of_study).rows


def test_rules_of_a_notebook_are_refused_before_anything_is_worked_out(client):
    rule = cam.fusion_rule("of a notebook")
    rule(lambda stack: next(stack.upsampled())[1])
    try:
        with pytest.raises(TypeError, match=r"of a notebook.*upload_file.*functions need a name"):
            ccw.explain_many(
                a_model(),
                some_photos(2),
                candidates=["gradcam, of a notebook"],
                client=client,
                progress=lambda done, _: pytest.fail("some are done") if done else None,
            )
        # Where it is not asked for, it is in nobody's way.
        assert len(ccw.explain_many(a_model(), some_photos(2), client=client)) == 2
    finally:
        rules._RULES.pop("of a notebook")


PLUGGED_IN = """
import torch
from torch import nn
from combicam_widgets.geo import CellGrid
from combicam_widgets.models import GeoModel, ModelInfo
from combicam_widgets.models.transforms import WholePhoto

class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x

class Plugged(GeoModel):
    INFO = ModelInfo(name="plugged in", summary="A model of another package")

    def __init__(self):
        torch.manual_seed(1)
        first = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), Doubled(), nn.ReLU())
        network = nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
        cells = CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90], list("efgh"))
        super().__init__(network.eval(), cells, WholePhoto(48), ["0"], name="plugged in")

    def seen(self, photo):
        return f"{photo.width} wide"
"""


def test_a_model_of_another_package_travels(client, tmp_path, monkeypatch):
    package = tmp_path / "plugged-1.0.dist-info"
    package.mkdir()
    (tmp_path / "plugged_model.py").write_text(PLUGGED_IN)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[combicam_widgets.models]\nplugged in = plugged_model:Plugged\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    client.run(lambda place=str(tmp_path): sys.path.insert(0, place))  # installed there, too
    photos = some_photos(5)
    many = ccw.explain_many("plugged in", photos, batch=2, client=client)
    assert type(many.model).__name__ == "Plugged"
    assert list(many.table().seen) == ["40 wide"] * 5
    assert_same(many, ccw.explain_many("plugged in", photos, batch=2))


class Deadly:
    """A task that kills its worker when it meets one photo."""

    def prepare(self, _model, batch):
        return batch

    def work(self, _model, prepared):
        return [each.name for each in prepared]

    def registered(self):
        return None

    def failed(self, batch, error):
        return [f"{each.name}: {error[:12]}" for each in batch]


def test_a_photo_that_kills_every_worker_is_told_and_takes_no_other_along(client, monkeypatch):
    def work(name, batch):
        if any(given.name == "7" for given in batch):
            os.kill(os.getpid(), signal.SIGKILL)
        return [given.name for given in batch]

    monkeypatch.setattr(cluster, "_work", work)
    monkeypatch.setattr(cluster, "packed", lambda **_: ("null", b""))
    monkeypatch.setattr(cluster, "_RETRIES", 0)
    monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 0)
    batches = [tuple(Given(str(i), b"") for i in some) for some in ((1, 2), (6, 7), (8, 9))]
    found = [each.result for each in cluster.run(None, batches, Deadly(), client)]
    told = sorted(name for names in found for name in names)
    assert told == ["1", "2", "6", "7: KilledWorker", "8", "9"]
    client.wait_for_workers(2)
