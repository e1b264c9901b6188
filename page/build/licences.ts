import type { Plugin } from "vite";
import { licenceOf, packageFolder } from "../../build/licences.mjs";

/** The file that the footer links to. */
const fileName = "THIRD-PARTY-LICENSES.txt";

/**
 * Two plugins, for the page and for its worker, which are bundled separately. The first writes the licences of all
 * packages that are in either bundle.
 */
export function licences(): { readonly inPage: Plugin; readonly inWorker: Plugin } {
  const folders = new Set<string>();
  const note = (bundle: object) => {
    for (const output of Object.values(bundle) as { modules?: Record<string, { renderedLength: number }> }[])
      for (const [file, { renderedLength }] of Object.entries(output.modules ?? {})) {
        const folder = packageFolder(file);
        // Names of modules that the bundler adds begin with a null character.
        if (folder && renderedLength > 0 && !file.startsWith("\0")) folders.add(folder);
      }
  };
  return {
    inWorker: { name: "licences-in-worker", generateBundle: (_, bundle) => note(bundle) },
    inPage: {
      name: "licences",
      generateBundle(_, bundle) {
        note(bundle);
        // Its style and fonts are in the page; its code is not.
        folders.add(packageFolder(import.meta.resolve("katex").replace("file://", "")) as string);
        const preface = "The page contains the following packages, each under its own licence.\n";
        const source = [preface, ...[...folders].sort().map(licenceOf)].join("\n\n");
        this.emitFile({ type: "asset", fileName, source });
      },
    },
  };
}
