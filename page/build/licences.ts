import type { Plugin } from "vite";
import { licenceOf, packageFolder } from "../../build/licences.mjs";

/** Where the footer's link leads. */
const fileName = "THIRD-PARTY-LICENSES.txt";

/**
 * Two plugins, for what runs in the page and for what runs off it, which are bundled one by one. The first writes the
 * licences of all packages of which something is in either.
 */
export function licences(): { readonly inPage: Plugin; readonly inWorker: Plugin } {
  const folders = new Set<string>();
  const note = (bundle: object) => {
    for (const output of Object.values(bundle) as { modules?: Record<string, { renderedLength: number }> }[])
      for (const [file, { renderedLength }] of Object.entries(output.modules ?? {})) {
        const folder = packageFolder(file);
        // What a bundler adds of its own begins with a null character.
        if (folder && renderedLength > 0 && !file.startsWith("\0")) folders.add(folder);
      }
  };
  return {
    inWorker: { name: "licences-in-worker", generateBundle: (_, bundle) => note(bundle) },
    inPage: {
      name: "licences",
      generateBundle(_, bundle) {
        note(bundle);
        // Its style and fonts are there, its code is not.
        folders.add(packageFolder(import.meta.resolve("katex").replace("file://", "")) as string);
        const preface = "The page contains the following packages, each under its own licence.\n";
        const source = [preface, ...[...folders].sort().map(licenceOf)].join("\n\n");
        this.emitFile({ type: "asset", fileName, source });
      },
    },
  };
}
