// A line of text, what is being worked on meanwhile, an error and a notice below. State in, DOM out.

import { initialize } from "../_bridge/attentive.js";
import { confided } from "../_bridge/discreet.js";

function render({ model, el }) {
  const look = model.get("look");
  const line = document.createElement("div");
  line.className = look;
  line.setAttribute("role", "status");
  const text = document.createElement("span");
  const asking = document.createElement("em");
  asking.className = "ccw-asking-words";
  const further = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "in detail";
  const list = document.createElement("ul");
  further.append(summary, list);
  line.append(text, " ", asking);
  const error = document.createElement("div");
  error.className = "ccw-status ccw-error";
  error.setAttribute("role", "alert");
  const notice = document.createElement("div");
  notice.className = "ccw-status ccw-notice";
  notice.setAttribute("role", "note");
  el.append(line);

  function write(element, words) {
    // What stays the same is not read out again.
    if (element.textContent !== words) element.textContent = words;
    element.hidden = !words;
  }
  function show() {
    const [first, ...more] = (aside.told("text") ?? model.get("text")).split("\n");
    write(text, first);
    if (more.length) line.append(further);
    else further.remove();
    if (list.textContent !== more.join("")) {
      list.replaceChildren(
        ...more.map((words) => {
          const item = document.createElement("li");
          item.textContent = words;
          return item;
        }),
      );
    }
    write(asking, model.get("asking"));
    write(error, aside.told("error") ?? "");
    if (error.hidden) error.remove();
    else line.after(error); // what is new there is read out at once
    write(notice, aside.told("notice") ?? "");
    if (notice.hidden) notice.remove();
    else el.append(notice);
  }
  const aside = confided({ model }, show);
  show();
  model.on("change:text change:asking", show);
  return () => {
    aside.stop();
    model.off("change:text change:asking", show);
  };
}

export default { initialize, render };
