"""What was closed, or never finished, is freed; and a script ends in silence."""

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from anywidget._file_contents import FileContents
from ipywidgets import Widget
from ipywidgets.widgets.widget import _instances as widgets_alive
from worlds import StepByStep

import combicam_widgets as ccw
from combicam_widgets.widgets import Explorer
from combicam_widgets.widgets._bridge.attentive import Attentive
from combicam_widgets.widgets._bridge.closing import made_of
from combicam_widgets.widgets.diagram.widget import Diagram
from combicam_widgets.widgets.explorer import explorer as explorer_module
from combicam_widgets.widgets.heat.overlay import Overlay
from combicam_widgets.widgets.world.widget import World


def use_everything(explorer, folder):
    explorer.pin()
    explorer.show_votes = explorer.show_rings = explorer.online_tiles = True
    explorer.show_opposite = explorer.outline = True
    explorer.preview = explorer.maps.names[0]
    explorer.box = (0.1, 0.1, 0.5, 0.5)
    explorer.image = "eiffel_tower"
    explorer.contrast = 7
    explorer.open_card(explorer.maps.names[-1])
    explorer.save_png(folder / "x.png", scale=0.5)
    explorer.to_html(folder / "x.html")
    explorer.guessing = True
    explorer.guess = (45, 5)


def inside(explorer):
    world, overlay = explorer.world._world, explorer.heat._overlay
    return [
        *(
            explorer,
            explorer.jobs,
            explorer.image,
            explorer.prediction,
            explorer.maps,
            explorer._gestures,
        ),
        *(world, world.map, world._marks, world._panel, world._land),
        *(
            overlay,
            overlay.figure,
            overlay._caption,
            overlay._box,
            explorer.diagram.fusion,
            explorer.controls,
        ),
        *(explorer.status_bar, explorer.jobs.checking, explorer.trust),
    ]


def alive(references):
    gc.collect()
    return [there for reference in references if (there := reference()) is not None]


def test_closed_explorers_are_freed(small_model, tmp_path):
    def made(use):
        explorer = Explorer(model=small_model, image="koala")
        if use:
            use_everything(explorer, tmp_path)
        references = [weakref.ref(part) for part in inside(explorer)]
        explorer.close()
        return references

    assert alive([reference for use in (False, True) for reference in made(use)]) == []


def test_a_closed_explorer_is_freed_though_the_page_has_used_it(small_model):
    async def use(explorer):
        explorer._gestures.change(explorer.preset("last layer"))
        await asyncio.sleep(0.2)
        explorer.controls.photo.value = "Panda"
        await asyncio.sleep(0.1)

    def made():
        before = set(threading.enumerate())  # of explorers of other tests
        explorer = Explorer(model=small_model, image="koala")
        # In a thread of its own: browser tests leave a loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, use(explorer)).result()
        references = [weakref.ref(part) for part in inside(explorer)]
        explorer.close()
        # The job that runs is not waited for by close().
        for thread in set(threading.enumerate()) - before:
            if thread.name.startswith("combicam"):
                thread.join()
        return references

    assert alive(made()) == []


def test_a_model_goes_with_the_explorer_that_was_its_last(small_model):
    """Neither grids nor photos are held by what remembers something about them."""

    def made():
        cells = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 120, -120, 10])
        grid = ccw.CellGrid(
            small_model.cells.latitudes, small_model.cells.longitudes, small_model.cells.outlines
        )
        mine = ccw.GeoModel(small_model.network, grid, small_model.transform, name="mine")
        explorer = Explorer(model=mine, image="koala", show_rings=True)
        explorer.figure()
        world = StepByStep()
        world.show_prediction(ccw.GeoPrediction([0.1, 0.2, 0.3, 0.4], cells), 1)
        references = [weakref.ref(x) for x in (mine, grid, explorer.prediction, cells, world)]
        for widget in made_of(world.map, *world.aside):
            widget.close()
        explorer.close()
        return references

    assert alive(made()) == []


def test_parts_alone_are_freed(small_model):
    def made():
        photo = ccw.sample("koala")
        maps = small_model.explain(photo)
        overlay, diagram, world = Overlay(), Diagram(), StepByStep(print, print, print, print)
        overlay.show_photo(photo)
        overlay.show_heat(maps.fuse(), "inferno", 0.8)
        overlay.pin(maps.fuse(), "before")
        diagram.show_maps(maps, dict.fromkeys(maps.names, "layer"), "inferno", {})
        world.show_prediction(small_model.prediction_of(maps), 0)
        references = [weakref.ref(x) for x in (overlay, diagram, world, photo, maps)]
        references += [weakref.ref(x) for x in made_of(overlay.view, diagram, world.map)]
        for widget in made_of(overlay.view, diagram, world.map, *world.aside):
            widget.close()
        return references

    before = set(widgets_alive)
    assert alive(made()) == []
    assert set(widgets_alive) <= before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("part", ["Parts", "View", "Gestures", "analyse"])
def test_an_explorer_that_was_never_finished_is_freed(small_model, monkeypatch, part, error):
    explorer = Explorer(model=small_model, image="koala")
    seen = []

    def fail(*given, **_named):
        seen.extend(weakref.ref(x) for x in given if isinstance(x, Explorer))
        World()  # half of it was there already
        raise error("no")

    monkeypatch.setattr(explorer_module, part, fail)
    before = set(widgets_alive)
    with pytest.raises(error):
        Explorer(model=small_model, image="koala")
    assert set(widgets_alive) == before
    assert alive(seen) == []
    assert explorer.comm is not None


def kinds(base):
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_no_kind_of_widget_watches_a_file():
    """Of what is in a file that it watches, anywidget tells every instance, and so keeps them."""
    for kind in [Attentive, *kinds(Attentive)]:
        for name in ("_esm", "_css"):
            assert not isinstance(getattr(kind, name, None), FileContents)


def test_closing_twice_and_in_any_order(small_model):
    explorer = Explorer(model=small_model, image="koala")
    parts = made_of(explorer)
    for widget in parts[1::2]:
        Widget.close(widget)
    explorer.close()
    explorer.close()
    assert [part for part in parts if part.comm is not None] == []


ENDS = {
    "two explorers, held in a circle": """
import sys
a = [ccw.Explorer(image="koala"), ccw.Explorer(model="atlas")]
a.append(a)
a[0]._other, sys.hold = a, a
a[1].close()
""",
    "some that failed, and one that was interrupted": """
from combicam_widgets.widgets.explorer import explorer
for wrong in ({"image": "kaola"}, {"colour": 5}, {"weights": {"x": 1}}, {"layout": 5}):
    try:
        ccw.Explorer(**wrong)
    except Exception as error:
        kept = error

def interrupted(*_):
    raise KeyboardInterrupt

explorer.Parts = interrupted
try:
    ccw.Explorer()
except KeyboardInterrupt:
    pass
""",
    "with a loop": """
import asyncio

async def main():
    a = ccw.Explorer(image="koala")
    a.controls.photo.value = "Panda"
    a.use("last layer")
    await asyncio.sleep(0.2)
    b = ccw.Explorer(image="panda")

asyncio.run(main())
""",
}


@pytest.mark.parametrize("script", ENDS)
def test_a_script_ends_in_silence(script, tmp_path):
    code = f"import combicam_widgets as ccw\n{ENDS[script]}"
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_what_is_remembered_goes_with_what_it_is_about():
    from combicam_widgets.shown.memory import remembered

    class Thing:
        pass

    asked = []

    @remembered(at_most=2)
    def twice(thing, number):
        asked.append((id(thing), number))
        return np.full(3, 2 * number)

    one, other = Thing(), Thing()
    assert twice(one, 4)[0] == 8
    assert twice(one, 4) is twice(one, 4)
    assert twice(other, 4)[0] == 8
    assert asked == [(id(one), 4), (id(other), 4)]
    twice(one, 5)
    twice(one, 6)
    assert len(asked) == 4
    twice(one, 4)  # forgotten, the oldest of three
    assert len(asked) == 5
    held = weakref.ref(twice(one, 4))
    del one
    assert alive([held]) == []
