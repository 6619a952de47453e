// The heat over a photo that Plotly has drawn; see heat_on_photo.js.

import { make } from "../../shown/dom.js";
import { initialize } from "../_bridge/attentive.js";
import { modelOf } from "../_bridge/model_of.js";
import { repaint } from "../_bridge/plotly_images.js";
import { heatOnPhoto } from "./heat_on_photo.js";
import { onceIn } from "./over_photo.js";

const HEAT = 1; // which image of the figure

/** What paints heat on a figure of Plotly's. */
function canvasOf(figure) {
  let watching = false; // whether Plotly tells when it has drawn
  const image = () => figure._fullLayout?.images?.[HEAT];
  return {
    ready: (about) => image()?.name === `heat ${about}`,
    paint(source) {
      if (image().source !== source) repaint(figure, { image: HEAT, source });
    },
    watch(draw) {
      if (watching || !figure.on) return;
      watching = true;
      figure.on("plotly_afterplot", draw); // Plotly has drawn what Python last said
    },
    forget: (draw) => figure.removeListener?.("plotly_afterplot", draw), // gone already if Plotly is
  };
}

function render({ model, el }) {
  const line = make("div", "ccw-caption");
  el.append(line);
  let stopShowing = Promise.resolve(() => {});
  const stopWaiting = onceIn(line, (inside) => {
    const fusionNow = async () => (model.get("fusion") ? modelOf(model, "fusion") : null);
    stopShowing = heatOnPhoto(model, line, inside, canvasOf(inside.figure), fusionNow);
  });
  return () => {
    stopWaiting();
    stopShowing.then((stop) => stop());
  };
}

export default { initialize, render };
