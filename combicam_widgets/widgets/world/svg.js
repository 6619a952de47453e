// Elements of pictures.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with a class and attributes. */
export function draw(tag, className, attributes) {
  const element = document.createElementNS(SVG, tag);
  element.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
