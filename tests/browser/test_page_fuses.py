"""The page answers by itself: heat and shares follow a click whatever the kernel does."""

import re

import numpy as np
import pytest
from lab import Lab, notebook
from playwright.sync_api import expect

from combicam_widgets.shown.colors import LEVELS, heat_opacity

pytestmark = pytest.mark.xdist_group("browser")

NOTHING = "\N{EN DASH}"
HEAT = ".js-plotly-plot .layer-above .imagelayer image"
OPEN = notebook(
    "import combicam_widgets as ccw", 'explorer = ccw.Explorer(image="koala"); explorer', ""
)
# What the page has painted, as alpha of each pixel: how opaque the heat is.
ALPHA = """async (heat) => {
  const image = new Image();
  image.src = document.querySelector(heat).getAttribute('href');
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  return [image.height, image.width, ...data.filter((_, i) => i % 4 === 3)];
}"""


@pytest.fixture
def opened(lab: Lab) -> Lab:
    lab.open(OPEN)
    lab.page.locator(HEAT).wait_for()
    expect(lab.page.locator(".ccw-status").first).to_contain_text("koala")
    lab.wait_for_kernel()
    return lab


def share(lab: Lab, layer: str):
    return lab.page.get_by_label(re.compile(rf"of the heatmap comes from layer {layer}$"))


def heat(lab: Lab) -> str:
    return lab.page.locator(HEAT).get_attribute("href")


def until_other(lab: Lab, before: str) -> str:
    lab.page.wait_for_function(
        f"before => document.querySelector('{HEAT}').getAttribute('href') !== before", arg=before
    )
    return heat(lab)


def away(lab: Lab) -> None:
    lab.page.mouse.move(3, 3)  # or the layer is previewed


def a_layer_goes_off_and_on(lab: Lab, before: str) -> None:
    lab.layer("blocks.15").click()
    away(lab)
    off = until_other(lab, before)
    expect(share(lab, "blocks.15")).to_have_text(NOTHING)
    lab.layer("blocks.15").click()
    away(lab)
    assert until_other(lab, off) == before


@pytest.mark.parametrize("rule", ["sum", "max", "product"])
def test_the_page_paints_what_python_fuses(opened, rule):
    before = heat(opened)
    opened.python(f"setattr(explorer, 'rule', {rule!r})")
    opened.python("setattr(explorer, 'weights', {'blocks.15': 1, 'blocks.11': 0.5, 'blocks.2': 2})")
    until_other(opened, before)
    opened.wait_for_kernel()
    height, width, *alpha = opened.page.evaluate(ALPHA, HEAT)
    how = "explorer.weights, explorer.rule, size=explorer.heatmap.shape, smooth=True"
    drawn = f"explorer.maps.fuse({how})"
    fused, opacity = opened.python(f"[{drawn}.ravel().tolist(), explorer.opacity]")
    python = 255 * opacity * heat_opacity(fused)
    assert height * width == len(python)
    # Heat is painted in steps of colour; the next one is at most so much more opaque.
    step = 255 * opacity * np.diff(heat_opacity(np.linspace(0, 1, LEVELS))).max()
    assert np.abs(alpha - python).max() <= step + 0.51


def test_a_click_is_answered_while_the_kernel_sleeps(opened):
    before = heat(opened)
    expect(share(opened, "blocks.15")).not_to_have_text(NOTHING)
    # From here on the kernel does something else, for longer than this test takes.
    opened.page.locator(".jp-CodeCell").last.locator(".cm-content").click()
    opened.page.keyboard.type("import time; time.sleep(600)")
    opened.page.keyboard.press("Control+Enter")
    expect(opened.page.locator(".jp-InputArea-prompt").last).to_have_text("[*]:")
    a_layer_goes_off_and_on(opened, before)


def test_a_click_is_answered_when_the_kernel_is_gone(opened):
    before = heat(opened)
    opened.page.evaluate(
        """async () => {
          const sessions = await (await fetch('/api/sessions')).json();
          const xsrf = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? '';
          for (const { kernel } of sessions) {
            const headers = { 'X-XSRFToken': xsrf };
            await fetch(`/api/kernels/${kernel.id}`, { method: 'DELETE', headers });
          }
        }"""
    )
    a_layer_goes_off_and_on(opened, before)


# A kernel that is far away: whatever goes there or comes from there is late.
FAR = """() => {
  window.late = 0;
  window.gone = 0; // messages that have left the page
  const Near = window.WebSocket;
  window.WebSocket = class extends Near {
    send(data) {
      const go = () => { window.gone += 1; super.send(data); };
      window.late ? setTimeout(go, window.late) : go();
    }
    set onmessage(hear) {
      super.onmessage = (event) => setTimeout(() => hear.call(this, event), window.late);
    }
  };
}"""
WATCH = """(heat) => {
  window.goneAt = null; // how many messages had left when the heat changed
  window.flips = [];
  const before = window.gone;
  const image = document.querySelector(heat);
  new MutationObserver(() => (window.goneAt ??= window.gone - before)).observe(image, {
    attributes: true,
  });
  const pressed = new Map();
  const look = () => {
    for (const tile of document.querySelectorAll(".ccw-toggle")) {
      const [name, now] = ["aria-label", "aria-pressed"].map((each) => tile.getAttribute(each));
      if (pressed.has(name) && pressed.get(name) !== now) window.flips.push([name, now]);
      pressed.set(name, now);
    }
  };
  look();
  const about = { subtree: true, attributeFilter: ["aria-pressed"] };
  new MutationObserver(look).observe(document.querySelector(".ccw-diagram"), about);
}"""


@pytest.mark.parametrize("late", [150, 1000])
def test_a_click_is_answered_when_the_kernel_is_far_away(lab, late):
    lab.page.add_init_script(f"({FAR})()")
    lab.open(OPEN)
    lab.page.locator(HEAT).wait_for()
    lab.wait_for_kernel()
    before = heat(lab)
    lab.page.evaluate(WATCH, HEAT)
    lab.page.evaluate("late => (window.late = late)", late)
    clicked = ("blocks.15", "blocks.11", "blocks.3")
    for layer in clicked:
        lab.layer(layer).click()
    away(lab)
    until_other(lab, before)
    lab.until(
        "[name for name, weight in explorer.weights.items() if not weight]", sorted_as(clicked)
    )
    # All that the kernel has to say has come: each question comes back after what went before it.
    assert lab.python("1 + 1") == 2
    # Nobody was asked before the heat changed, and no late answer has taken a click back.
    if late == 1000:
        assert lab.page.evaluate("window.goneAt") == 0
    assert lab.page.evaluate("window.flips") == [[f"Layer {layer}", "false"] for layer in clicked]
    for layer in clicked:
        expect(share(lab, layer)).to_have_text(NOTHING)


def sorted_as(layers: tuple[str, ...]) -> list[str]:
    """In forward order."""
    return sorted(layers, key=lambda layer: int(layer.split(".")[1]))
