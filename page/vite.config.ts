import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { packageAt } from "../build/licences.mjs";
import { licences } from "./build/licences.js";
import { styled } from "./build/style.js";
import { typeset } from "./build/typeset.js";

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const versions = Object.fromEntries(
  ["..", "../node_modules/ml-matrix"]
    .map((path) => packageAt(folder(path)))
    .map(({ name, version }) => [name, version]),
);
const { inPage, inWorker } = licences();

/** Without these a browser gives a page no shared memory, and so no threads. */
const isolating = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  root: folder("."),
  // So that the built page runs in whatever folder it is put.
  base: "./",
  plugins: [typeset(), styled(), inPage],
  define: { BUNDLED_VERSIONS: JSON.stringify(versions) },
  worker: { format: "es", plugins: () => [inWorker] },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: { output: { comments: { legal: false } } },
  },
  server: { headers: isolating },
  preview: { headers: isolating },
});
