"""Every widget of the explorer hears Python on a slow page; a browser test shows that it does."""

import anywidget
import pytest

from combicam_widgets.widgets._bridge.attentive import Attentive
from combicam_widgets.widgets._bridge.discreet import Discreet
from combicam_widgets.widgets._bridge.figure_widget import Bundle, FigureWidget
from combicam_widgets.widgets.diagram.widget import Diagram
from combicam_widgets.widgets.explorer.upload import Upload
from combicam_widgets.widgets.explorer.words import Words
from combicam_widgets.widgets.fusion import Fusion
from combicam_widgets.widgets.gallery.page import GalleryPage
from combicam_widgets.widgets.heat.box import DrawnBox
from combicam_widgets.widgets.heat.caption import Caption
from combicam_widgets.widgets.heat.compare import Panel
from combicam_widgets.widgets.trust import TrustPanel
from combicam_widgets.widgets.world.marks import CellList, Marks
from combicam_widgets.widgets.world.widget import World

MAKE = {
    Bundle: Bundle,
    Caption: Caption,
    CellList: CellList,
    Diagram: Diagram,
    DrawnBox: DrawnBox,
    FigureWidget: FigureWidget,
    GalleryPage: lambda: GalleryPage(print, print, print, print),
    Marks: lambda: World()._marks,
    Panel: lambda: Panel(size=(4, 3)),
    Upload: Upload,
    Words: Words,
}


@pytest.mark.parametrize("kind", MAKE)
def test_the_page_is_told_how_to_find_the_model(kind):
    first, second = MAKE[kind](), MAKE[kind]()
    assert first.get_state("ident")["ident"] == first.model_id
    assert first.model_id != second.model_id
    assert "listenAgain({ model }" in first._esm
    assert "import {" not in first._esm


def test_these_are_all_kinds_there_are():
    ours = {
        kind
        for kind in [
            *anywidget.AnyWidget.__subclasses__(),
            *Attentive.__subclasses__(),
            *Fusion.__subclasses__(),
            *Discreet.__subclasses__(),
        ]
        if kind.__module__.startswith("combicam_widgets")
    }
    assert ours == {Attentive, Discreet, Fusion, TrustPanel, *MAKE}
    assert all("listenAgain({ model }" in kind._esm for kind in ours - {Attentive, Discreet})
