"""The trust panel alone in a cell: what it says, shows on demand, and does when Python changes."""

import pytest
from lab import WAIT, notebook, open_more
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")

CELL = """
import combicam_widgets as ccw
model, photo = ccw.load_model("naturalist"), ccw.sample("kangaroo")
maps = model.explain(photo)
trust = ccw.TrustPanel(model, photo, maps)
trust
"""


def test_a_person_reads_the_worth_and_asks_how_it_was_measured(lab):
    lab.open(notebook(CELL))
    panel = lab.page.get_by_role("group", name="How much of the answer the heatmap carries")
    expect(panel.get_by_role("status")).to_contain_text("what is hot here carries much")
    worth = lab.python("float(trust.scores.worth)")
    expect(panel.get_by_role("status")).to_contain_text(f"Worth {worth:.2f}")
    expect(panel.get_by_role("img", name="Worth: this heatmap")).to_be_visible()
    keys = panel.get_by_role("list", name="Worth")
    expect(keys).to_contain_text("random maps")

    panel.get_by_text("How is that measured?").click()
    for name in ("Shown bit by bit", "Taken away bit by bit"):
        expect(panel.get_by_role("img", name=name)).to_be_visible()
    lab.until("trust.measured", value=True)
    panel.get_by_text("What would a network that knows nothing show?").press("Enter")
    expect(panel.get_by_role("img", name="it knows nothing")).to_be_visible()
    lab.screenshot("trust", panel)

    # The last layer alone is worth less here, and the panel says so without being touched.
    lab.page.evaluate(
        "(code) => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel"
        ".requestExecute({ code }).done",
        "trust.weights = {maps.names[-1]: 1}",
    )
    expect(panel.get_by_role("status")).not_to_contain_text(f"Worth {worth:.2f}")
    lab.until("trust.scores is not None", value=True)
    assert lab.python("float(trust.scores.worth)") < worth
    assert lab.python("float(trust.scores.reference)") == pytest.approx(worth)
    assert not lab.complaints
    assert not lab.strangers


def test_a_panel_that_is_seen_twice_goes_on_being_measured_when_one_view_is_gone(lab):
    lab.open(notebook(CELL, "trust"))
    panels = lab.page.get_by_role("group", name="How much of the answer the heatmap carries")
    expect(panels).to_have_count(2)
    lab.until("trust.seen", value=True)
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1")
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:delete-cell')")
    expect(panels).to_have_count(1)
    before = lab.python("trust.scores and trust.scores.worth")
    lab.page.evaluate(
        "(code) => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel"
        ".requestExecute({ code }).done",
        "trust.weights = {maps.names[-1]: 1}",
    )
    lab.until(f"trust.scores is not None and trust.scores.worth != {before!r}", value=True)
    assert lab.python("trust.seen") is True


TALL = """
import combicam_widgets as ccw
model, photo = ccw.load_model("naturalist"), ccw.sample("statue_of_liberty")
trust = ccw.TrustPanel(model, photo, model.explain(photo), measured=True, untrained=True)
trust
"""


def test_the_heat_lies_on_a_photo_that_is_narrower_than_its_caption(lab):
    lab.open(notebook(TALL))
    panel = lab.page.get_by_role("group", name="How much of the answer the heatmap carries")
    nothing = panel.get_by_role("img", name="it knows nothing")
    expect(nothing).to_be_visible()
    photo, heat = (nothing.locator("img").nth(i).bounding_box() for i in (0, 1))
    assert photo == heat
    assert photo["width"] < photo["height"]
    expect(panel).to_contain_text("Above 100 %, a part of the photo")
    lab.screenshot("trust-tall", panel)


EXPLORER = """
import combicam_widgets as ccw
explorer = ccw.Explorer(image="koala")
explorer
"""


def test_by_worth_is_measured_with_progress_and_taken_back(lab):
    lab.open(notebook(EXPLORER))
    page = lab.page
    open_more(page)
    button = page.get_by_role("button", name="by worth")
    button.click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("Cancelled")
    assert lab.python("explorer.method") == "gradcam"

    button.click()
    cancel = page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible()
    expect(cancel).to_be_hidden(timeout=4 * WAIT)  # some 500 passes
    assert lab.python("explorer.method") == "hirescam"
    panel = page.get_by_role("group", name="How much of the answer the heatmap carries")
    worth, combi_cam = lab.python(
        "[float(explorer.trust.scores.worth), float(explorer.trust.scores.reference)]"
    )
    assert worth > combi_cam
    expect(panel.get_by_role("list", name="Worth")).to_contain_text(f"{worth:.2f}")
    lab.screenshot("by-worth")
    page.get_by_role("button", name="More").click()  # it lies over the diagram's buttons
    page.get_by_role("button", name="Undo").click()
    lab.until("explorer.method", "gradcam")
    lab.until("set(explorer.weights.values()) == {1.0}", value=True)
    assert not lab.complaints
