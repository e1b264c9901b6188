import { addPeers, compile, type Installed, install, isForeign } from "./install.js";

/** The packed package in a folder of its own, with the engines that samples use. */
export function installWithPeers(): Installed {
  const installed = install();
  addPeers(installed, ...["core", "backend-cpu", "layers"].map((name) => `@tensorflow/tfjs-${name}`));
  addPeers(installed, "@jax-js/jax");
  return installed;
}

/** What the compiler says of the samples in a folder, apart from the declarations of other packages. */
export function complaintsOf(installed: Installed, folder: string): string[] {
  const complaints = compile(installed, folder, "nodenext", ["es2022", "dom", "esnext.disposable"], {
    noUncheckedIndexedAccess: false,
  });
  return complaints.filter((complaint) => !isForeign(complaint));
}

/** The text of the comment after each `console.log`. */
export function promised(sample: string): string[] {
  return [...sample.matchAll(/^\s*console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
}

/** The line with its numbers to nine digits: the last ones depend on the kernels that the engine has. */
export function rounded(line: string): string {
  return line.replace(/-?\d+(\.\d+)?(e[-+]?\d+)?/g, (number) =>
    String(Number(Number(number).toPrecision(9))),
  );
}
