// Tiles that are fetched from the internet.

/** Calls back with whether tiles that are fetched come: null while none is asked for. */
export function watchTiles(map, say) {
  const asks = (layer) => typeof layer.getTileUrl === "function";
  const hear = ({ layer }) => {
    if (!asks(layer)) return;
    layer.on("tileload", () => say(true));
    layer.on("tileerror", () => say(false));
  };
  const forget = ({ layer }) => asks(layer) && say(null);
  map.eachLayer((layer) => hear({ layer }));
  map.on("layeradd", hear);
  map.on("layerremove", forget);
  return () => {
    map.off("layeradd", hear);
    map.off("layerremove", forget);
  };
}
