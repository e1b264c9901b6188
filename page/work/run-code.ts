import { groundTruth } from "../../src/experiment/ground-truth.js";
import * as core from "./core.js";
import { type PlotRequest, plotRequest } from "./plot-request.js";
import { shownValue } from "./show-value.js";
import type { Task } from "./task.js";

/** Output of a cell. */
export type Printed =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "plot"; readonly plot: PlotRequest };

/** An endless loop that prints must not fill the page. */
const mostPrinted = 400;

const MAIN = "spectral-norm";

/** Code that may use convolutions; those are loaded for it. */
const convolving = /\bconv(Transpose)?[123]d\b|\*\s*as\s+\w+\s+from\s*["']spectral-norm["']/;

/** Modules that can be imported, beside the package's main one. */
const modules: Readonly<Record<string, () => Promise<object>>> = {
  "spectral-norm/threads": () => import("../../src/threads/index.js"),
  "spectral-norm/webgpu": () => import("../../src/webgpu/index.js"),
};

/**
 * Runs a cell's code: JavaScript with `await` and the package's names in scope, `print` and `plot`, and `import`s of the
 * package, written as in any module.
 *
 * @throws whatever the code throws, with the line where that is known
 */
export const runCode: Task<{ readonly code: string }, undefined, Printed> = async ({ code }, { update }) => {
  let printed = 0;
  const put = (item: Printed) => {
    printed++;
    if (printed <= mostPrinted) update(item);
    if (printed === mostPrinted) update({ kind: "text", text: "… further output is left out" });
  };
  const print = (...values: unknown[]) => put({ kind: "text", text: values.map(shownValue).join(" ") });
  const names = { ...core, ...(convolving.test(code) && (await import("./convolutions.js"))) };
  const scope = {
    ...names,
    groundTruth,
    print,
    plot: (series: unknown, options?: unknown) => put({ kind: "plot", plot: plotRequest(series, options) }),
    console: { log: print, info: print, warn: print, error: print, debug: print },
    $import: (name: string) => (name === MAIN ? names : load(name)),
  };
  const run = new AsyncFunction(
    ...Object.keys(scope),
    `"use strict"; return (async () => {\n${loading(code)}\n})();`,
  );
  try {
    await run(...Object.values(scope));
  } catch (error) {
    throw located(error);
  }
  return undefined;
};

const AsyncFunction = (async () => {}).constructor as new (
  ...parts: string[]
) => (...values: unknown[]) => Promise<unknown>;

async function load(name: string): Promise<object> {
  const module = Object.hasOwn(modules, name) ? modules[name] : undefined;
  if (!module)
    throw new TypeError(
      `import: there is no ${name} here, only ${[MAIN, ...Object.keys(modules)].join(", ")}`,
    );
  return module();
}

/** Replaces `import` declarations by statements that a function body may have, line by line. */
function loading(code: string): string {
  return code
    .replace(
      /^[ \t]*import\s+\*\s+as\s+(\w+)\s+from\s*("[^"\n]*"|'[^'\n]*')/gm,
      "const $1 = await $import($2)",
    )
    .replace(
      /^[ \t]*import\s*\{([^}]*)\}\s*from\s*("[^"\n]*"|'[^'\n]*')/gm,
      (_, names: string, from: string) => `const {${names.replace(/\bas\b/g, ":")}} = await $import(${from})`,
    );
}

/** The number of lines that the engine puts before the code. */
const linesBefore = 3;

function located(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const place = /<anonymous>:(\d+):\d+|AsyncFunction:(\d+):\d+/.exec(error.stack ?? "");
  const line = Number(place?.[1] ?? place?.[2]) - linesBefore;
  if (!(line >= 1)) return error;
  error.message = `${error.message} (line ${line})`;
  return error;
}
