// Takes the module in that Python sends; asks for it if the page is younger than the model. What is
// saved of the page holds the module, compressed, so that figures are seen again without a kernel.

import { listenAgain } from "./attentive.js";
import { moduleNamed } from "./modules.js";

/** Bytes through a stream, such as one that compresses. */
async function through(stream, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

/** Adds to what is saved of a model, while its state stays as it is. */
async function keepInSaved(model, name, bytes) {
  const itself = await model.widget_manager.get_model(model.get("ident"));
  const all = itself.get_state;
  itself.get_state = function (...options) {
    return { ...all.apply(this, options), [name]: new DataView(bytes.buffer) };
  };
}

export default {
  initialize({ model }) {
    const place = moduleNamed(model.get("name"));
    const saved = model.get("saved");
    if (saved?.byteLength) {
      const bytes = new Uint8Array(saved.buffer, saved.byteOffset, saved.byteLength);
      keepInSaved(model, "saved", bytes.slice());
      if (!place.there) through(new DecompressionStream("gzip"), bytes).then(place.arrived);
      return;
    }
    model.on("msg:custom", async (_message, [bytes]) => {
      place.arrived(bytes);
      keepInSaved(model, "saved", await through(new CompressionStream("gzip"), bytes));
    });
    const ask = () => model.send("wanted");
    if (!model.get("coming")) ask();
    listenAgain({ model }).then((missed) => missed && ask());
  },
};
