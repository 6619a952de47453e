// The menu of photos: ipywidgets knows neither headings nor pictures in a menu.

const titleOf = (option) => decodeURIComponent(option.dataset.value ?? "");

/** Gives `dress(select)`, which groups a menu and keeps it grouped, and `forget()`. */
export function photoMenu(model) {
  const pictures = {}; // data URIs by title
  const watched = new Map(); // observers by menu

  function show(select) {
    for (const option of select.options) {
      const source = pictures[titleOf(option)];
      if (source) option.style.setProperty("--ccw-picture", `url("${source}")`);
    }
  }
  function group(select) {
    const groups = model.get("groups");
    const said = (all) => all.map(([title, count]) => `${title} ${count}`).join("\n");
    const there = [...select.querySelectorAll("optgroup")].map((x) => [x.label, x.children.length]);
    if (said(groups) !== said(there)) {
      const [options, chosen] = [[...select.options], select.selectedIndex];
      const made = groups.map(([title, count]) => {
        const heading = document.createElement("optgroup");
        heading.label = title;
        heading.append(...options.splice(0, count));
        return heading;
      });
      select.replaceChildren(...made, ...options);
      select.selectedIndex = chosen; // moving an entry lets go of it
      watched.get(select).takeRecords();
    }
    show(select);
  }
  function ask({ currentTarget }) {
    const missing = [...currentTarget.options].map(titleOf).filter((title) => !(title in pictures));
    if (missing.length) model.send({ pictures: missing });
  }
  function dress(select) {
    if (!select || watched.has(select)) return;
    watched.set(select, new MutationObserver(() => group(select)));
    watched.get(select).observe(select, { childList: true });
    group(select);
    for (const event of ["pointerdown", "focus"]) select.addEventListener(event, ask);
  }
  const groupAll = () => watched.forEach((_, select) => group(select));
  function take(content) {
    Object.assign(pictures, content.pictures);
    watched.forEach((_, select) => show(select));
  }
  model.on("change:groups", groupAll);
  model.on("msg:custom", take);
  return {
    dress,
    forget() {
      model.off("change:groups", groupAll);
      model.off("msg:custom", take);
      watched.forEach((observer, select) => {
        observer.disconnect();
        for (const event of ["pointerdown", "focus"]) select.removeEventListener(event, ask);
      });
    },
  };
}
