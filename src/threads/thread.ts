// Where a thread begins. The build bundles this file and inlines it as text: a script of its own would have to be
// found beside the module, which bundlers do not leave there.
import { type Orders, serve } from "./member.js";

interface Port {
  once?(event: "message", listener: (orders: Orders) => void): void;
  postMessage(message: string): void;
}

declare const self: (Port & { onmessage: ((event: { data: Orders }) => void) | null }) | undefined;
declare const nodePort: Port | undefined;

const begin = (port: Port) => (orders: Orders) => {
  try {
    serve(orders, () => port.postMessage("ready"));
  } catch (error) {
    port.postMessage(error instanceof Error ? error.message : String(error));
  }
};
if (nodePort?.once) nodePort.once("message", begin(nodePort));
else if (self) {
  const port = self;
  port.onmessage = ({ data }) => begin(port)(data);
}
