// Takes the module in that Python sends; asks for it if the page is younger than the model.

import { listenAgain } from "./attentive.js";
import { moduleNamed } from "./modules.js";

export default {
  initialize({ model }) {
    const place = moduleNamed(model.get("name"));
    if (place.there) return;
    model.on("msg:custom", (_message, [bytes]) => place.arrived(bytes));
    const ask = () => model.send("wanted");
    if (!model.get("coming")) ask();
    listenAgain({ model }).then((missed) => missed && ask());
  },
};
