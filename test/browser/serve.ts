import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** The built files, as a browser gets them: no bundler, no import map. */
export const dist = fileURLToPath(new URL("../../dist", import.meta.url));

const TYPES: Readonly<Record<string, string>> = { ".js": "text/javascript", ".html": "text/html" };
const ISOLATING = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export interface Serving {
  /** folders by the path they are found under, with slashes at both ends; /dist/ is there anyway */
  readonly folders?: Readonly<Record<string, string>>;
  /** texts by their path */
  readonly texts?: Readonly<Record<string, string>>;
  /** what every other path gets */
  readonly page: string;
  /** paths that are served without the headers that isolate a page */
  readonly plain?: readonly string[];
}

/** Serves on a port of its own at localhost. */
export async function serve({ folders = {}, texts = {}, page, plain = [] }: Serving) {
  const places = Object.entries({ "/dist/": dist, ...folders });
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://localhost").pathname);
    const [prefix, folder] = places.find(([prefix]) => path.startsWith(prefix)) ?? [];
    try {
      const body =
        prefix && folder ? readFileSync(join(folder, path.slice(prefix.length))) : (texts[path] ?? page);
      const headers = { "Content-Type": TYPES[extname(path)] ?? "text/html" };
      response.writeHead(200, plain.includes(path) ? headers : { ...headers, ...ISOLATING }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
}
