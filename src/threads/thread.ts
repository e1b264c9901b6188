// Where a member of a crew begins. The build bundles this file and inlines it as text: a script of its own would
// have to be found beside the module, which bundlers do not leave there.
import { packError } from "./failure.js";
import { type Orders, serve } from "./member.js";
import { parentPort } from "./port.js";
import type { Failed } from "./request.js";

const port = parentPort();
port.listen((orders) => {
  try {
    serve(orders as Orders, () => port.post("ready"));
  } catch (error) {
    port.post({ error: packError(error) } satisfies Failed);
  }
});
