"""Names of layers, models, photos, places and rules come from outside: on a page they are text."""

import pytest
from lab import Lab, notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")

MAKE = """
from collections import OrderedDict
import torch
from torch import nn
import combicam_widgets as ccw
from combicam_widgets import cam

def bad(name):
    return f"<img src=x onerror=alert(1)><b>{name}</b>$x$"

class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))

torch.manual_seed(0)
network = nn.Sequential(OrderedDict({
    bad("one"): nn.Conv2d(3, 4, 3, stride=2), bad("two"): nn.Conv2d(4, 4, 3, stride=2), "m": Mean(),
}))
cells = ccw.CellGrid.from_centers(
    [0, 0, 60, -60], [0, 120, -120, 10], [bad(i) for i in range(4)]
)
model = ccw.GeoModel(network, cells, name=bad("model"), outputs="logits")
photo = ccw.load_image(ccw.sample("panda").pixels, name=bad("photo"), position=(10, 20))
cam.fusion_rule(bad("rule"), bad("summary"))(lambda stack: stack.weighted_sum())
explorer = ccw.Explorer(model=model, image=photo, rule=bad("rule"), show_votes=True)
explorer
"""


def test_names_are_text_wherever_they_stand(lab: Lab):
    dialogs = []
    lab.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    lab.open(notebook(MAKE))
    status = lab.page.locator(".ccw-status").first
    expect(status).to_contain_text("<img src=x onerror=alert(1)><b>")
    for act in (
        "explorer.pin()",
        "setattr(explorer, 'preview', explorer.maps.names[0])",
        "setattr(explorer, 'preview', '')",
        "setattr(explorer, 'contrast', (explorer.prediction.best.index + 1) % 4)",
        "setattr(explorer.diagram, 'selected', explorer.maps.names[1])",
        "setattr(explorer, 'box', (0.1, 0.1, 0.5, 0.5))",
        "setattr(explorer, 'show_rings', True)",
        "explorer._gestures.fail(ValueError(bad('error')))",
    ):
        lab.python(f"[{act}, 1][1]")
    expect(lab.page.get_by_role("alert")).to_contain_text("<b>error</b>")
    expect(lab.page.get_by_role("dialog")).to_contain_text("<b>two</b>")
    expect(lab.page.locator(".ccw-line-error")).to_have_count(1)
    lab.screenshot("hostile-names")
    lab.python("[setattr(explorer, 'guessing', True), setattr(explorer, 'guess', (1, 2)), 1][2]")
    expect(status).to_contain_text("<b>")
    output = lab.page.locator(".ccw-explorer")
    assert output.locator("img[onerror], b").count() == 0
    assert dialogs == []
    assert lab.complaints == []
    assert lab.strangers == []
