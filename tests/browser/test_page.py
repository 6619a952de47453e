"""The exported page as its reader meets it: a file, opened in Chromium, without a network."""

import dataclasses
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from lab import ARTIFACTS, ROOT
from playwright.sync_api import expect
from snapshots import HOSTILE, make_maps, make_snapshot

import combicam_widgets as ccw
from combicam_widgets.cam import fuse, rule_names, shares
from combicam_widgets.cam.contributions import contributions
from combicam_widgets.cam.rules import winsorized
from combicam_widgets.cam.upsampling import by_maximum, minmax, upsample
from combicam_widgets.export import Snapshot, to_html
from combicam_widgets.shown.colors import heat_opacity

pytestmark = pytest.mark.xdist_group("browser")

FUSION = ROOT / "combicam_widgets" / "shown" / "fusion.js"

ALPHA = """async () => {
  // The heat is painted in the next frame.
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
  const heat = document.querySelector(".heat");
  await heat.decode();
  const [height, width] = [heat.naturalHeight, heat.naturalWidth];
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  const context = canvas.getContext("2d");
  context.drawImage(heat, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  return { shape: [height, width], values: [...data].filter((_, i) => i % 4 === 3) };
}"""

RUN = """async ([source, vectors]) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { upsample, normalise, fuse, shares, contributions } = await import(url);
  return vectors.map(({ maps, weights, size, rule, normalize, importances }) => {
    const recipe = [maps, weights, size, rule, normalize, importances];
    return {
      fused: [...fuse(...recipe).values],
      shares: shares(...recipe),
      corners: [[0, 0], [size[0] - 1, size[1] - 1], [size[0] >> 1, size[1] >> 2]].map((pixel) =>
        contributions(maps, weights, size, pixel, rule, normalize, importances),
      ),
      drawn: [...fuse(...recipe, true).values],
      upsampled: maps.map((map) => [...upsample(map, size).values]),
      smoothed: maps.map((map) => [...upsample(map, size, true).values]),
      normalised: maps.map((map) => [...normalise(map, normalize).values]),
    };
  });
}"""


class Reader:
    """Somebody who opens a page, with all that is asked for and complained about on the way."""

    def __init__(self, browser, path, **look):
        self.context = browser.new_context(**{"offline": True, **look})
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(path.as_uri())
        expect(self.page.get_by_role("status").first).to_contain_text("layers")

    def _hear(self, message):
        # Warnings are about the tests' own reading of the canvas.
        if message.type == "error":
            self.complaints.append(message.text)

    def opacity(self):
        """How opaque the heat is, in [0, 1]."""
        found = self.page.evaluate(ALPHA)
        return np.array(found["values"]).reshape(found["shape"]) / 255

    def said(self):
        """The heat that is read off where somebody points, and that its layers are named."""
        line = self.page.locator(".look .ccw-caption")
        expect(line).to_have_text(re.compile(r"^Heat \d+ %: .+"))
        return int(line.text_content().split()[1]) / 100

    def layer(self, name):
        return self.page.get_by_role("button", name=f"Layer {name}", exact=True)

    def strangers(self):
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]


@pytest.fixture
def opened(browser, tmp_path):
    readers = []

    def open_page(snapshot, include_position=False, how={}, **look):  # noqa: B006
        path = tmp_path / f"page{len(readers)}.html"
        to_html(snapshot, path, include_position=include_position, **how)
        readers.append(Reader(browser, path, **look))
        return readers[-1]

    yield open_page
    for reader in readers:
        assert reader.strangers() == []
        assert reader.complaints == []
        reader.context.close()


def expected(snapshot, **changes):
    recipe = {
        "weights": snapshot.weights,
        "rule": snapshot.rule,
        "normalize": snapshot.normalize,
        **changes,
    }
    return snapshot.maps.fuse(**recipe, size=snapshot.heatmap.shape, smooth=True)


def same(reader, heat, opacity=1.0):
    # Heat is rounded to one of 256 colours, and the next one is at most so much more opaque.
    step = np.diff(heat_opacity(np.linspace(0, 1, 256))).max()
    found = reader.opacity()
    wanted = opacity * heat_opacity(heat)
    return found.shape == heat.shape and np.abs(found - wanted).max() <= step + 0.51 / 255


def vectors():
    random = np.random.default_rng(0)
    shapes = [(24, 32), (12, 16), (12, 16), (7, 5), (1, 1), (1, 9), (40, 3)]
    twin = random.random((8, 8), np.float32)
    sets = {
        "random": [random.random(s, np.float32) for s in shapes],
        "sparse": [np.maximum(random.random(s, np.float32) - 0.6, 0) for s in shapes],
        "faint": [1e-6 * random.random(s, np.float32) ** 4 for s in shapes],
        "with constants": [
            random.random((9, 9), np.float32),
            np.full((4, 4), 0.37, np.float32),
            np.zeros((6, 8), np.float32),
            random.random((5, 4), np.float32) * 1e-3,
        ],
        "twins": [twin, twin.copy(), random.random((5, 7), np.float32)],
        "nothing": [np.zeros((3, 4), np.float32), np.zeros((6, 8), np.float32)],
        "all equal": [np.full((3, 4), 2.5, np.float32), np.full((6, 8), 0.3, np.float32)],
    }
    for kind, maps in sets.items():
        for rule in rule_names():
            for normalize in (None, "minmax", "max"):
                weights = random.random(len(maps)).round(2)
                weights[random.integers(len(maps))] = 0
                weights[0] = 1.0
                if kind == "twins":  # which tie
                    weights[:] = 1.0
                size = tuple(random.integers(1, 70, 2).tolist())
                importances = (random.random(len(maps)) * (random.random(len(maps)) > 0.3)).tolist()
                yield maps, weights, size, rule, normalize, importances


def test_the_module_gives_what_python_gives(browser):
    cases = list(vectors())
    assert {case[3] for case in cases} >= {"sum", "mean", "max"}
    sent = [
        {
            "maps": [{"shape": x.shape, "values": x.ravel().tolist()} for x in maps],
            "weights": weights.tolist(),
            "size": size,
            "rule": rule,
            "normalize": normalize,
            "importances": importances,
        }
        for maps, weights, size, rule, normalize, importances in cases
    ]
    page = browser.new_page()
    answers = page.evaluate(RUN, [(FUSION).read_text(encoding="utf-8"), sent])
    page.close()
    stretch = {None: lambda x: x, "minmax": minmax, "max": by_maximum}
    apart = []
    for (maps, *recipe), answer in zip(cases, answers, strict=True):
        size, normalize = recipe[1], recipe[3]
        said = f"{recipe[2]}, {normalize}, {size}, {[x.shape for x in maps]}"
        fused = fuse(maps, *recipe).ravel()
        np.testing.assert_allclose(answer["fused"], fused, atol=1e-5, err_msg=said)
        drawn = fuse(maps, *recipe, smooth=True).ravel()
        off = np.abs(answer["drawn"] - drawn) > 1e-5
        if recipe[2] == "product":
            apart += off.tolist()
        else:
            assert not off.any(), said
        np.testing.assert_allclose(answer["shares"], shares(maps, *recipe), atol=1e-5, err_msg=said)
        divided = contributions(maps, *recipe)
        for (row, column), parts in zip(
            [(0, 0), (size[0] - 1, size[1] - 1), (size[0] // 2, size[1] // 4)],
            answer["corners"],
            strict=True,
        ):
            expected = None if divided is None else divided[:, row, column].tolist()
            assert parts == (expected and pytest.approx(expected, abs=1e-5)), said
        for i, x in enumerate(maps):
            np.testing.assert_allclose(answer["upsampled"][i], upsample(x, size).ravel(), atol=1e-5)
            smooth = upsample(x, size, smooth=True).ravel()
            np.testing.assert_allclose(answer["smoothed"][i], smooth, atol=1e-5)
            stretched = stretch[normalize](x).ravel()
            np.testing.assert_allclose(answer["normalised"][i], stretched, atol=1e-5)
    # Where the cubic comes down to zero, a root of the rounding of float32 is seen: in few pixels.
    assert sum(apart) < 0.001 * len(apart)


def test_the_module_knows_the_factors_of_winsor(browser):
    source = (FUSION).read_text(encoding="utf-8")
    run = """async ([source, importances, quantile]) => {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      return (await import(url)).winsorized(importances, quantile);
    }"""
    page = browser.new_page()
    for importances in ((0, 0.5, 1, 10), (3, 0, 3), (0, 0, 0), (7,)):
        for quantile in (0.8, 0.9):
            factors = page.evaluate(run, [source, importances, quantile])
            expected = winsorized(np.array(importances, np.float64), quantile)
            np.testing.assert_allclose(factors, expected, rtol=1e-6)
    page.close()


def test_the_module_refuses_what_python_refuses(browser):
    page = browser.new_page()
    source = (FUSION).read_text(encoding="utf-8")
    refuse = """async ([source, weights, rule, how]) => {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      const { fuse } = await import(url);
      const maps = [{ shape: [1, 2], values: [0, 1] }, { shape: [1, 2], values: [1, 0] }];
      try { fuse(maps, weights, [2, 2], rule, how); return ""; } catch (e) { return e.message; }
    }"""
    for weights, rule, how, message in [
        ([0, 0], "sum", None, "All layers are off"),
        ([1], "sum", None, "2 weights are needed"),
        ([1, -1], "sum", None, "not negative"),
        ([1, 1], "vote", None, "Unknown fusion rule"),
        ([1, 1], "toString", None, "Unknown fusion rule"),
        ([1, 1], "sum", "l2", "Unknown normalisation"),
    ]:
        assert message in page.evaluate(refuse, [source, weights, rule, how])
    assert page.evaluate(refuse, [source, [1, 1], "sum", None]) == ""
    page.close()


def test_the_page_fuses_as_python_does(opened):
    snapshot = make_snapshot(opacity=1.0)
    reader = opened(snapshot)
    names = snapshot.maps.names
    assert same(reader, snapshot.drawn)
    expect(reader.layer("head")).to_have_attribute("aria-pressed", "true")
    reader.layer("head").click()
    expect(reader.layer("head")).to_have_attribute("aria-pressed", "false")
    weights = {**snapshot.weights, "head": 0.0}
    assert same(reader, expected(snapshot, weights=weights))
    assert not same(reader, snapshot.drawn)
    expect(reader.page.get_by_role("status")).to_contain_text("3 of 4 layers")
    expect(reader.page.get_by_role("status")).to_contain_text("as it was saved")

    reader.page.get_by_role("button", name="Stage 16 x 12").click()
    assert same(reader, expected(snapshot, weights={"stem": 1}))
    reader.layer("block.2").click(modifiers=["Shift"])
    assert same(reader, expected(snapshot, weights={"block.2": 1}))
    part = reader.page.get_by_label("100 % of the heatmap comes from layer block.2", exact=True)
    expect(part).to_be_visible()

    reader.page.get_by_role("button", name="all", exact=True).click()
    reader.page.get_by_role("slider", name="Weight of layer stem").fill("0.3")
    weights = {**dict.fromkeys(names, 1.0), "stem": 0.3}
    assert same(reader, expected(snapshot, weights=weights))
    for rule in ("mean", "max"):
        reader.page.get_by_label("Rule", exact=True).select_option(rule)
        for choice in ("max", "none", "minmax"):
            reader.page.get_by_label("Normalise", exact=True).select_option(choice)
            normalize = None if choice == "none" else choice
            heat = expected(snapshot, weights=weights, rule=rule, normalize=normalize)
            assert same(reader, heat)
    share = snapshot.maps.shares(weights, "max", "minmax")["head"]
    label = f"{100 * share:.0f} % of the heatmap comes from layer head"
    expect(reader.page.get_by_label(label, exact=True)).to_be_visible()
    reader.page.get_by_label("Opacity", exact=True).fill("0.5")
    assert same(reader, expected(snapshot, weights=weights, rule="max", normalize="minmax"), 0.5)
    reader.page.get_by_role("button", name="as saved").click()
    assert same(reader, snapshot.drawn, 0.5)
    expect(reader.page.get_by_role("status")).not_to_contain_text("as it was saved")


def test_presets_and_colours(opened):
    snapshot = make_snapshot(opacity=1.0)
    reader = opened(snapshot)
    for name, on in {
        "last layer": {"head"},
        "one per stage": {"stem", "block.2", "head"},
        "invert": {"block.1"},
    }.items():
        reader.page.get_by_role("button", name=name).click()
        assert same(reader, expected(snapshot, weights=dict.fromkeys(on, 1.0)))
    picture = reader.layer("head").locator(".ccw-heat")
    before = picture.get_attribute("src")
    reader.page.get_by_label("Colours", exact=True).select_option("cividis")
    expect(picture).not_to_have_attribute("src", before)


def test_the_last_layer_cannot_be_switched_off(opened):
    snapshot = make_snapshot(opacity=1.0)
    reader = opened(snapshot)
    reader.page.get_by_role("button", name="last layer").click()
    reader.layer("head").click()
    expect(reader.page.get_by_role("alert")).to_contain_text("At least one layer must stay on")
    expect(reader.layer("head")).to_have_attribute("aria-pressed", "true")
    assert same(reader, expected(snapshot, weights={"head": 1}))


def test_no_evidence_is_said(opened):
    maps = make_maps()
    silent = tuple(0 * x for x in maps.maps)
    snapshot = make_snapshot(
        maps=dataclasses.replace(maps, methods={"gradcam": silent}), evidence=None
    )
    reader = opened(snapshot)
    expect(reader.page.get_by_role("status")).to_contain_text("no positive evidence")
    expect(reader.page.get_by_text("no evidence", exact=True)).to_have_count(4)
    assert not reader.opacity().any()


def test_keyboard_alone(opened):
    snapshot = make_snapshot(opacity=1.0)
    reader = opened(snapshot)
    page = reader.page
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Layer stem":
            break
    page.keyboard.press("ArrowRight")  # the tiles are one stop of Tab, arrows go on from there
    tile = reader.layer("block.1")
    expect(tile).to_be_focused()
    assert tile.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(tile).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Space")
    expect(tile).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Shift+Enter")
    assert same(reader, expected(snapshot, weights={"block.1": 1}))
    page.keyboard.press("Tab")
    weight = page.get_by_role("slider", name="Weight of layer block.1")
    expect(weight).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(weight).to_have_attribute("aria-valuetext", "1.1")
    page.get_by_role("img", name=re.compile("^Heatmap over a day out, hottest")).focus()
    page.keyboard.press("ArrowRight")
    heat = snapshot.maps.fuse({"block.1": 1}, size=snapshot.heatmap.shape)  # what is said is exact
    middle = heat[heat.shape[0] // 2, heat.shape[1] // 2]
    assert reader.said() == pytest.approx(middle, abs=0.011)
    assert page.locator(".look .ccw-caption").get_attribute("aria-live") == "polite"


def test_the_value_under_the_pointer(opened):
    snapshot = make_snapshot()
    reader = opened(snapshot)
    box = reader.page.locator(".heat").bounding_box()
    for x, y in [(0.2, 0.3), (0.7, 0.8)]:
        reader.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        height, width = snapshot.heatmap.shape
        row, column = int(y * height), int(x * width)
        near = snapshot.heatmap[row - 1 : row + 2, column - 1 : column + 2]
        said = reader.said()
        assert near.min() - 0.006 <= said <= near.max() + 0.006


def test_names_from_outside_are_only_text(opened):
    names = tuple(f"{HOSTILE}{i}" for i in range(4))
    reader = opened(make_snapshot(names, model=HOSTILE, status=f"{HOSTILE} sentence"))
    expect(reader.page.get_by_text("sentence")).to_contain_text(HOSTILE)
    expect(reader.layer(names[2])).to_be_visible()
    assert reader.page.locator("img[src=x]").count() == 0


@pytest.fixture
def listener():
    """A server on this machine that writes down whoever knocks."""
    knocks = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            knocks.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", knocks
    server.shutdown()
    server.server_close()


TRY_ALL = """async (address) => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", (violation) =>
    window.refused.push(violation.violatedDirective));
  new Image().src = `${address}image`;
  await fetch(`${address}fetch`).catch(() => {});
  const script = document.createElement("script");
  script.textContent = "window.broken = true";
  document.body.append(script);
}"""


def test_the_policy_holds_with_a_network_at_hand(opened, browser, listener):
    address, knocks = listener
    # Without the policy the server hears of it.
    free = browser.new_page()
    free.goto(f"{address}page")
    free.evaluate("(address) => fetch(`${address}free`).then(() => true)", address)
    free.close()
    assert "/free" in knocks
    knocks.clear()
    reader = opened(make_snapshot(), offline=False)
    reader.page.evaluate(TRY_ALL, address)
    for directive in ("connect-src", "img-src", "script-src-elem"):
        reader.page.wait_for_function("(name) => refused.includes(name)", arg=directive)
    assert reader.page.evaluate("window.broken") is None
    assert knocks == []
    # These attempts were the test's own; the browser reports them before it blocks them.
    reader.complaints.clear()
    reader.requests = [url for url in reader.requests if not url.startswith(address)]


def test_flags_and_votes(opened):
    reader = opened(make_snapshot(), include_position=True)
    world = reader.page.get_by_role("group", name="World map")
    for flag in ("whole photo", "evidence", "true place"):
        expect(world.get_by_role("img", name=flag, exact=True)).to_be_visible()
    vote = world.get_by_label("layers 2 and 3 alone: Congo")
    expect(vote).not_to_have_class(re.compile("off"))
    reader.page.get_by_role("button", name="last layer").click()
    expect(vote).to_have_class(re.compile("off"))
    hidden = opened(make_snapshot())
    expect(hidden.page.get_by_text("true place")).to_have_count(0)


@pytest.fixture(scope="module")
def hand_out(tmp_path_factory):
    """Two photos with questions, as a teacher would hand them out."""
    explorer = ccw.Explorer(model="naturalist", image="koala")
    path = tmp_path_factory.mktemp("hand out") / "x.html"
    explorer.to_html(
        path, photos=["panda"], questions=["Which layer finds the ears?", "Do you believe it?"]
    )
    said = {}
    for name in ("all", "one per stage", "last layer"):
        explorer.use(name)
        said[name] = explorer.status
    explorer.weights = {"blocks.10": 1}
    said["blocks.10"] = explorer.status
    explorer.close()
    return path, said


@pytest.fixture
def handed_out(browser, hand_out):
    readers = []

    def open_page(**look):
        readers.append(Reader(browser, hand_out[0], **look))
        return readers[-1].page, hand_out[1]

    yield open_page
    for reader in readers:
        assert reader.strangers() == []
        assert reader.complaints == []
        reader.context.close()


def test_sentence_and_map_follow_presets_and_single_layers(handed_out):
    page, said = handed_out()
    koala = page.get_by_role("region", name="Koala", exact=True)
    sentence = koala.locator(".sentence")
    for name in ("one per stage", "last layer", "all"):
        page.get_by_role("button", name=name, exact=True).click()
        expect(sentence).to_have_text(said[name])
        expect(koala.get_by_role("img", name="evidence", exact=True)).to_have_count(1)
        expect(koala).not_to_have_class(re.compile("unasked"))
    tile = koala.get_by_role("button", name="Layer blocks.10", exact=True)
    tile.click(modifiers=["Shift"])
    expect(sentence).to_have_text(said["blocks.10"])
    page.get_by_label("Rule", exact=True).select_option("max")  # one layer alone: the same
    expect(sentence).to_have_text(said["blocks.10"])
    page.get_by_label("Rule", exact=True).select_option("sum")
    # Any other fusion was not asked about: it is said, and what was saved is greyed.
    koala.get_by_role("button", name="Layer blocks.2", exact=True).click()
    expect(koala).to_have_class(re.compile("unasked"))
    expect(koala.get_by_role("status")).to_contain_text("as it was saved")
    koala.get_by_role("button", name="Undo").click()
    expect(sentence).to_have_text(said["blocks.10"])
    expect(koala).not_to_have_class(re.compile("unasked"))


def test_a_drag_is_one_step_back_and_the_card_says_where_a_layer_points(handed_out):
    page, _ = handed_out()
    panda = page.get_by_role("region", name="Panda", exact=True)
    weight = panda.get_by_role("slider", name="Weight of layer blocks.3", exact=True)
    tile = panda.get_by_role("button", name="Layer blocks.3", exact=True)
    tile.scroll_into_view_if_needed()
    box = tile.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for pixels in (8, 24, 40):
        page.mouse.move(x + pixels, y)
    page.mouse.up()
    expect(weight).to_have_attribute("aria-valuetext", "1.5")
    panda.get_by_role("button", name="Undo").click()
    expect(weight).to_have_attribute("aria-valuetext", "1.0")
    expect(panda.get_by_role("button", name="Undo")).to_be_disabled()
    panda.get_by_role("button", name="Redo").click()
    expect(weight).to_have_attribute("aria-valuetext", "1.5")
    koala = page.get_by_role("region", name="Koala", exact=True)
    slider = koala.get_by_role("slider", name="Weight of layer blocks.3", exact=True)
    expect(slider).to_have_attribute("aria-valuetext", "1.0")  # each photo has weights of its own
    tile.focus()
    page.keyboard.press("i")
    card = page.get_by_role("dialog", name="Layer 4: blocks.3")
    expect(card.get_by_text(re.compile(r"\(\d+ %\)|\(less than 1 %\)"))).to_be_visible()


def test_answers_are_printed_a_page_for_each_photo(handed_out, tmp_path):
    page, _ = handed_out(viewport={"width": 1280, "height": 900})
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Which layer finds the ears?").first.fill("The tenth, I think")
    page.get_by_role("button", name="Layer blocks.2", exact=True).first.click()
    sheet = page.pdf(format="A4", path=ARTIFACTS / "hand-out.pdf")
    assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 2
    page.emulate_media(media="print")
    page.screenshot(path=ARTIFACTS / "hand-out-print.png", full_page=True)
    expect(page.get_by_label("Rule", exact=True)).to_be_hidden()
    expect(page.get_by_role("button", name="Undo").first).to_be_hidden()
    off = page.locator(".ccw-is-off .ccw-badge")
    expect(off).to_have_text("off")
    expect(off).to_be_visible()


def test_a_phone_shows_photo_and_tiles_together(handed_out):
    page, _ = handed_out(viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    koala = page.get_by_role("region", name="Koala", exact=True)
    tile = koala.get_by_role("button", name="Layer blocks.15", exact=True)
    tile.evaluate("tile => tile.scrollIntoView({ block: 'end' })")
    page.screenshot(path=ARTIFACTS / "hand-out-phone.png")
    photo, tile_box = koala.locator(".photograph").bounding_box(), tile.bounding_box()
    assert photo["y"] >= 0
    assert photo["y"] + photo["height"] <= tile_box["y"]
    assert tile_box["y"] + tile_box["height"] <= 845  # scrolled to a fraction of a pixel
    before = koala.locator(".heat").get_attribute("src")
    tile.tap()
    expect(tile).to_have_attribute("aria-pressed", "false")
    expect(koala.locator(".heat")).not_to_have_attribute("src", before)


@pytest.mark.parametrize(("width", "height"), [(688, 880), (688, 400), (1280, 420)])
def test_heat_lies_on_the_photo_also_where_its_height_is_what_limits_it(handed_out, width, height):
    page, _ = handed_out(viewport={"width": width, "height": height})
    koala = page.get_by_role("region", name="Koala", exact=True)
    koala.locator(".heat").wait_for()
    assert koala.locator(".heat").bounding_box() == koala.locator(".photograph").bounding_box()


@pytest.fixture(scope="module")
def koala():
    model, photo = ccw.load_model("naturalist"), ccw.sample("koala")
    maps = model.explain(photo)
    heat = maps.fuse(size=(288, 216))
    prediction = model.prediction_of(maps)
    best = prediction.best.place
    return Snapshot(
        photo=photo,
        model=model.name,
        stages=tuple(stage.names for stage in model.architecture.stages),
        maps=maps,
        weights=dict.fromkeys(maps.names, 1.0),
        rule="sum",
        normalize=None,
        keep=0.3,
        colormap="inferno",
        opacity=0.8,
        heatmap=heat,
        prediction=prediction,
        evidence=model.evidence(photo, heat, 0.3),
        votes=model.layer_votes(photo, maps),
        status=f"{model.seen(photo)}: {best}.",
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 1920])
def test_how_it_looks(opened, koala, width, scheme):
    size = {"width": width, "height": 900}
    reader = opened(koala, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    assert same(reader, koala.drawn, 0.8)
    reader.page.screenshot(path=ARTIFACTS / f"page-{width}-{scheme}.png", full_page=True)
    # Nothing sticks out, photo and map stand side by side, about as high as each other.
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
    photo, world = (reader.page.locator(s).bounding_box() for s in (".heat", ".world"))
    assert world["x"] >= photo["x"] + photo["width"]
    assert photo["height"] == pytest.approx(world["height"], rel=0.15)
    light = reader.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.search(r"\d+", light)[0]) > 128) == (scheme == "light")
    moving = reader.page.locator(".ccw-bar").first
    assert moving.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"
