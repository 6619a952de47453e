"""What a model or a method warns of while the page works is told on the page, and nowhere else."""

import nbformat
import pytest
from lab import Lab, notebook, open_more
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")

MAKE = """
import torch
from torch import nn
import combicam_widgets as ccw
from combicam_widgets import cam
from combicam_widgets.notices import warn

class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))

@cam.method("careful")
def careful(activations, gradients):
    warn("These maps are <b>a guess</b>.")
    return (activations * gradients).sum(0)

torch.manual_seed(0)
network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 4, 3, stride=2), Mean())
cells = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 120, -120, 10])
explorer = ccw.Explorer(model=ccw.GeoModel(network, cells), image="koala")
explorer
"""


def test_a_notice_is_seen_survives_a_reload_is_not_saved_and_goes(lab: Lab):
    lab.open(notebook(MAKE))
    status = lab.page.locator(".ccw-status").first
    expect(status).to_contain_text("with the evidence, its hottest 30 %")
    notice = lab.page.get_by_role("note")
    expect(notice).to_have_count(0)

    open_more(lab.page)
    lab.page.get_by_label("Method", exact=True).select_option("careful")
    expect(notice).to_have_text("These maps are <b>a guess</b>.")  # text, once for all layers
    expect(notice).to_be_visible()
    below = (
        notice.bounding_box()["y"] >= status.bounding_box()["y"] + status.bounding_box()["height"]
    )
    assert below
    expect(lab.page.get_by_role("alert")).to_have_count(0)
    lab.screenshot("notice")

    # It is about the maps: other weights leave it.
    lab.page.get_by_role("button", name="last layer").click()
    lab.until("list(explorer.weights.values())", [0, 1])
    expect(notice).to_have_text("These maps are <b>a guess</b>.")
    lab.reload()
    expect(notice).to_have_text("These maps are <b>a guess</b>.")
    lab.page.evaluate(
        "() => window.jupyterapp.commands.execute("
        "'@jupyter-widgets/jupyterlab-manager:saveWidgetState')"
    )
    book = lab.saved()
    assert book.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert nbformat.writes(book).count("a guess") == 1  # in the cell that says so

    lab.page.get_by_label("Method", exact=True).select_option("gradcam")
    lab.until("explorer.method", "gradcam")
    lab.page.get_by_label("Photo", exact=True).select_option("Panda")
    lab.until("explorer.image.name", "Panda")
    expect(notice).to_have_count(0)
    assert lab.complaints == []
