// A button that opens a file and sends it in pieces, as messages: none of it is in the state.
// Being in every toolbar, it names what else is in there.

import { initialize } from "../_bridge/attentive.js";
import { photoMenu } from "./photo_menu.js";
import { nameToolbar } from "./toolbar_names.js";

const PIECE = 2 ** 21;

async function send(model, file) {
  const size = Math.min(file.size, model.get("at_most"));
  const which = `${performance.now()} ${Math.random()}`;
  let offset = 0;
  do {
    const piece = await file.slice(offset, Math.min(offset + PIECE, size)).arrayBuffer();
    model.send({ file: which, name: file.name, offset, size }, undefined, [piece]);
    offset += piece.byteLength;
  } while (offset < size);
}

function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "jupyter-widgets jupyter-button widget-upload";
  button.style.width = "auto";
  button.title = model.get("hint");
  const icon = document.createElement("i");
  icon.className = "fa fa-upload";
  icon.setAttribute("aria-hidden", "true");
  button.append(icon, ` ${model.get("description")}`);
  const input = document.createElement("input");
  input.type = "file";
  input.accept = model.get("accept");
  button.addEventListener("click", () => {
    input.value = ""; // or the same file again would be no change
    input.click();
  });
  input.addEventListener("change", () => input.files.length && send(model, input.files[0]));
  el.classList.add("ccw-upload");
  el.append(button);
  const menu = photoMenu(model);
  const stop = nameToolbar(el, menu.dress); // in which this is
  return () => {
    stop();
    menu.forget();
  };
}

export default { initialize, render };
