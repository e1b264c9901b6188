import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { styled } from "./typeset/style.js";
import { typeset } from "./typeset/typeset.js";

const manifest = (path: string): { name: string; version: string } =>
  JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const versions = Object.fromEntries(
  ["../package.json", "../node_modules/ml-matrix/package.json"]
    .map(manifest)
    .map(({ name, version }) => [name, version]),
);

/** Without these a browser gives a page no shared memory, and so no threads. */
const isolating = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  // So that the built page runs in whatever folder it is put.
  base: "./",
  plugins: [typeset(), styled()],
  define: { BUNDLED_VERSIONS: JSON.stringify(versions) },
  worker: { format: "es" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: { output: { comments: { legal: false } } },
  },
  server: { headers: isolating },
  preview: { headers: isolating },
});
