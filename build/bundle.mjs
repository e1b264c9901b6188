// Bundles the command into dist/cli, so that the package installs nothing: commander, the table and
// plotting libraries and the like are in it, their licences beside it. The core and the adapters stay
// outside, as the one copy in dist; the tensor libraries are the user's own.
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { licenceOf, packageAt, packageFolder } from "./licences.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const source = join(root, "src");
const target = join(root, "dist", "cli");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** What ends up in the bundle; every other folder of src keeps its place in dist. */
const bundledFolders = ["audit", "cli", "engines", "experiment", "files", "lipschitz", "report"];

const publishedStaysOutside = {
  name: "published-stays-outside",
  setup({ onResolve }) {
    onResolve({ filter: /^\.{1,2}\// }, ({ path, resolveDir }) => {
      const place = relative(source, join(resolveDir, path));
      // Of node_modules, or of the bundled folders themselves.
      if (place.startsWith("..") || bundledFolders.includes(place.split(/[\\/]/)[0])) return undefined;
      return { path: `../${place.replaceAll("\\", "/")}`, external: true };
    });
    // linkedom would load it where it is installed; a page of figures has no use for it.
    onResolve({ filter: /^canvas$/ }, ({ path }) => ({ path, namespace: "nothing" }));
  },
};

const nothing = {
  name: "nothing",
  setup({ onLoad }) {
    onLoad({ filter: /.*/, namespace: "nothing" }, () => ({ contents: "module.exports = {};" }));
  },
};

/** Folders of the packages of which something is in the bundle. */
function packagesIn(metafile) {
  const folders = new Set();
  for (const { inputs } of Object.values(metafile.outputs))
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
      const inside = packageFolder(file);
      if (inside && bytesInOutput > 0) folders.add(inside);
    }
  return [...folders].sort();
}

// The compiler has left the same folders there as separate modules, whose imports are only ours to have.
for (const folder of bundledFolders) rmSync(join(root, "dist", folder), { recursive: true, force: true });

// Declaration maps point to the sources, which the tarball holds, except the generated ones: their digits are in
// the JavaScript already.
const built = readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" });
for (const file of built.filter((name) => name.endsWith(".generated.d.ts"))) {
  const declarations = join(root, "dist", file);
  rmSync(`${declarations}.map`);
  const text = readFileSync(declarations, "utf8");
  writeFileSync(declarations, text.replace(/^\/\/# sourceMappingURL=.*$/m, ""));
}

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["src/cli/spectral-norm.ts"],
  outdir: target,
  bundle: true,
  splitting: true,
  chunkNames: "[name]-[hash]",
  format: "esm",
  platform: "node",
  target: "node20",
  minifyWhitespace: true,
  minifySyntax: true,
  minifyIdentifiers: true,
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
  external: ["@tensorflow/*", "@jax-js/*"],
  // What is bundled from CommonJS asks for Node's own modules by require, which a module lacks.
  // The name must be longer than those that the identifiers are shortened to.
  banner: {
    js: 'import{createRequire as requireFrom}from"node:module";const require=requireFrom(import.meta.url);',
  },
  define: {
    BUNDLED_VERSIONS: JSON.stringify({
      [manifest.name]: manifest.version,
      "ml-matrix": packageAt(join(root, "node_modules", "ml-matrix")).version,
    }),
  },
  plugins: [publishedStaysOutside, nothing],
});

chmodSync(join(target, "spectral-norm.js"), 0o755);
const licences = packagesIn(metafile).map((folder) => licenceOf(join(root, folder)));
const preface = "The command contains the following packages, each under its own licence.\n";
writeFileSync(join(target, "THIRD-PARTY-LICENSES.txt"), [preface, ...licences].join("\n\n"));
