/** The connection from a thread to the thread that started it. */
interface Port {
  listen(onMessage: (message: unknown) => void): void;
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}

interface NodePort {
  on(event: "message", listener: (message: unknown) => void): void;
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}

interface BrowserPort {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
}

// `startThread` defines `nodePort` before the script; `self` is the global of a browser's worker.
declare const nodePort: NodePort | undefined;
declare const self: BrowserPort;

/** The port to the parent, in the scripts that `startThread` runs. */
export function parentPort(): Port {
  if (nodePort) {
    const port = nodePort;
    return {
      listen: (onMessage) => port.on("message", onMessage),
      post: (message, transfer) => port.postMessage(message, transfer),
    };
  }
  return {
    listen(onMessage) {
      self.onmessage = ({ data }) => onMessage(data);
    },
    post: (message, transfer = []) => self.postMessage(message, transfer),
  };
}
