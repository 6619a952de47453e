// Images of a figure that Plotly has drawn (plotly.js 3).

/**
 * Give an image of a drawn figure another source. Plotly would lay out and draw the whole figure
 * for it; this changes the image alone, and what Plotly will draw from the next time.
 */
export function repaint(graph, { image, source }) {
  if (!graph.layout?.images) return; // will be drawn
  graph.layout.images[image].source = source;
  const drawn = graph._fullLayout.images[image];
  drawn.source = source;
  for (const element of graph.querySelectorAll(".imagelayer image")) {
    if (element.__data__ !== drawn) continue;
    element.setAttributeNS("http://www.w3.org/1999/xlink", "href", source);
    element._imgSrc = source; // by which Plotly knows that there is nothing to do
  }
}
