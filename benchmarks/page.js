// Runs in the page before anything else: what `page.py` asks of it.
(() => {
  const FIGURE = ".js-plotly-plot";
  const IMAGES = `${FIGURE} .layer-above .imagelayer`;
  const HEAT = `${IMAGES} image`;
  const STATUS = ".ccw-status";
  const PAINTED = [HEAT, STATUS, ".leaflet-image-layer", ".ccw-flag", ".ccw-tile"];
  const bench = (window.bench = { received: 0 });

  // Counted here: the browser's driver would copy every message out of the browser. What widgets
  // are sent, that is: the answers to our own questions are no part of it.
  const start = (data) => new TextDecoder("latin1").decode(data.slice(0, 500));
  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      this.addEventListener("message", ({ data }) => {
        if (data instanceof ArrayBuffer && start(data).includes('"comm_')) {
          bench.received += data.byteLength;
        }
      });
    }
  };

  // After the next frame has been put on the screen.
  const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

  /** Run a new cell, as a person would; milliseconds until everything is painted. */
  bench.open = async (source) => {
    const { content } = window.jupyterapp.shell.currentWidget;
    const index = content.model.cells.length;
    content.model.sharedModel.insertCell(index, { cell_type: "code", source });
    content.activeCellIndex = index;
    const start = performance.now();
    window.jupyterapp.commands.execute("notebook:run-cell");
    for (;;) {
      const missing = PAINTED.filter((selector) => !document.querySelector(selector));
      await painted();
      if (missing.length === 0) break;
      if (performance.now() - start > 120000) throw new Error(`not painted: ${missing}`);
    }
    return performance.now() - start;
  };

  /** Do something; milliseconds until a part of the page has changed and that has been painted. */
  const after = (selector, matters, act) => new Promise((resolve, reject) => {
    const watch = new MutationObserver((changes) => {
      if (!changes.some(matters)) return;
      clearTimeout(patience);
      watch.disconnect();
      painted().then(() => resolve(performance.now() - start));
    });
    const all = { attributes: true, childList: true, characterData: true, subtree: true };
    watch.observe(document.querySelector(selector), all);
    const patience = setTimeout(() => reject(new Error(`${selector} did not change`)), 20000);
    const start = performance.now();
    act();
  });
  const press = (label) => document.querySelector(`[aria-label="${label}"]`).click();
  const heat = () => document.querySelector(HEAT)?.getAttribute("href");
  /** Tells which changes show another picture: Plotly draws the same one anew, in place or not. */
  const another = () => {
    let last = heat();
    return ({ target }) => {
      if (!target.matches(HEAT) && !target.matches(IMAGES)) return false;
      const old = last;
      last = heat();
      return last !== undefined && last !== old;
    };
  };
  bench.toggle = (layer) => after(FIGURE, another(), () => press(`Layer ${layer}`));
  bench.toggles = async (layer, count) => {
    for (let i = 0; i < count; i += 1) await bench.toggle(layer);
  };
  const isStatus = ({ target }) => target.closest?.(STATUS);
  bench.preset = (text) => {
    const button = [...document.querySelectorAll("button")].find((b) => b.textContent === text);
    // The words tell what the evidence keeps; they come with it.
    return after(".ccw-explorer", isStatus, () => button.click());
  };

  /** Whether the heat over the photo is that of these maps; see `Fusion.about`. */
  bench.shows = (about) => {
    const image = document.querySelector(FIGURE)?._fullLayout?.images?.[1];
    return image?.name === `heat ${about}` && image.source === heat();
  };

  /** Write down when a pointer moved with its button down and when the heat was painted anew, until `stop`. */
  bench.watch = () => {
    const moves = [];
    const paints = [];
    const move = ({ buttons }) => buttons && moves.push(performance.now());
    document.addEventListener("pointermove", move, true);
    const isNew = another();
    const watch = new MutationObserver((changes) => {
      if (changes.some(isNew)) painted().then(() => paints.push(performance.now()));
    });
    watch.observe(document.querySelector(FIGURE), { attributes: true, subtree: true });
    bench.stop = () => {
      watch.disconnect();
      document.removeEventListener("pointermove", move, true);
      return { moves, paints };
    };
  };

  /** Move a pointer that holds a layer, once a frame: as fast as a browser tells of a mouse. */
  bench.drag = async (layer, places, y) => {
    const tile = document.querySelector(`[aria-label="Layer ${layer}"]`);
    for (const x of places) {
      await painted(); // what a mouse does meanwhile is told at the beginning of the next frame
      const where = { clientX: x, clientY: y, pointerId: 1, isPrimary: true, buttons: 1 };
      tile.dispatchEvent(new PointerEvent("pointermove", { ...where, bubbles: true }));
    }
  };
})();
