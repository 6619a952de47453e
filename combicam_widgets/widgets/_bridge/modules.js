// Modules that come to the page as bytes: read once per page, whoever waits for them.

const PLACES = Symbol.for("combicam_widgets.modules");

/** Where a module is to be found: `module` is a promise of it, `arrived(bytes)` fulfils it. */
export function moduleNamed(name) {
  const places = (globalThis[PLACES] ??= new Map());
  if (!places.has(name)) {
    const place = { there: false };
    place.module = new Promise((resolve) => {
      place.arrived = (bytes) => {
        if (!place.there) resolve(imported(bytes));
        place.there = true;
      };
    });
    places.set(name, place);
  }
  return places.get(name);
}

async function imported(bytes) {
  const address = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
  try {
    return await import(address);
  } finally {
    URL.revokeObjectURL(address);
  }
}
