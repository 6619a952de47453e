// A model that others on the page read, and that shows nothing itself.

import { initialize } from "./attentive.js";

export default { initialize };
