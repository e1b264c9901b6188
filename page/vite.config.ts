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

/** Convolutions, which are loaded when they are used. */
const convolutions = /[\\/]src[\\/](convolutions|operators[\\/]conv|kernels[\\/](\w+[\\/])?stencil)/;

/** The package's own code but the adapters, whose libraries are large, and convolutions. */
const sharedCode = new RegExp(
  `^(?!.*node_modules)(?!.*${convolutions.source}).*[\\\\/]src[\\\\/](?!files|jax|tfjs|threads|webgpu)`,
);

export default defineConfig({
  root: folder("."),
  // So that the built page runs in whatever folder it is put.
  base: "./",
  plugins: [typeset(), styled(), inPage],
  define: { BUNDLED_VERSIONS: JSON.stringify(versions) },
  worker: {
    format: "es",
    plugins: () => [inWorker],
    // What several parts of the worker share is one file: many small ones compress less well.
    rolldownOptions: {
      output: {
        comments: false,
        codeSplitting: {
          groups: [
            { name: "shared", test: sharedCode, minShareCount: 2 },
            { name: "convolutions", test: convolutions, minShareCount: 2 },
          ],
        },
      },
    },
  },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: { output: { comments: false } },
  },
  server: { headers: isolating },
  preview: { headers: isolating },
});
