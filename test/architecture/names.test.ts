import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const source = fileURLToPath(new URL("../../src", import.meta.url));

/** Files that may share a name: the same thing on another engine. */
const sameFiles: Readonly<Record<string, readonly string[]>> = {
  // One routine in TypeScript and in AssemblyScript.
  "eigen.ts": ["kernels/reference", "kernels/wasm/assembly"],
  "load.ts": ["kernels/reference", "kernels/wasm/assembly"],
  "products.ts": ["kernels/reference", "kernels/wasm/assembly"],
  // The same, and the module that compiles it.
  "hermitian.ts": ["kernels/reference", "kernels/wasm", "kernels/wasm/assembly"],
  "proof.ts": ["kernels/reference", "kernels/wasm", "kernels/wasm/assembly"],
  "stencil.ts": ["kernels/reference", "kernels/wasm", "kernels/wasm/assembly"],
  "svd.ts": ["kernels/reference", "kernels/wasm", "kernels/wasm/assembly"],
  // How each set of kernels is made.
  "instance.ts": ["kernels/reference", "kernels/wasm"],
  // The public function for arrays of jax-js and for tensors of TensorFlow.js.
  "singular-triplet.ts": ["jax", "tfjs"],
  "svdvals.ts": ["jax", "tfjs"],
  // The same; in cli the program, which is named for its command.
  "spectral-norm.ts": ["cli", "jax", "tfjs"],
};

/** Types that may share a name, likewise. */
const sameTypes: Readonly<Record<string, readonly string[]>> = {};

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".generated.ts"));

/** The names of the types that a file declares and exports; what it exports again from elsewhere is not among them. */
function exportedTypes(text: string): string[] {
  const declared = /^(export )?(?:declare )?(?:abstract )?(?:interface|type|class|enum) ([A-Za-z_$][\w$]*)/gm;
  const listed = new Set(
    [...text.matchAll(/^export (?:type )?\{([^}]*)\};/gm)].flatMap(([, names]) =>
      names.split(",").map((name) =>
        name
          .trim()
          .replace(/^type /, "")
          .replace(/ as .*$/, ""),
      ),
    ),
  );
  return [...text.matchAll(declared)]
    .filter(([, own, name]) => own || listed.has(name))
    .map(([, , name]) => name);
}

/** Names with more than one place, and their places. */
function shared(places: readonly (readonly [name: string, place: string])[]): Record<string, string[]> {
  const all = new Map<string, string[]>();
  for (const [name, place] of places) all.set(name, [...(all.get(name) ?? []), place]);
  return Object.fromEntries(
    [...all].filter(([, at]) => at.length > 1).map(([name, at]) => [name, at.toSorted()] as const),
  );
}

describe("names in src", () => {
  it("recognises exported types", () => {
    const text =
      "export interface A {}\nexport type B<T> = T;\nexport abstract class C {}\ninterface D {}\ntype E = 1;\n" +
      'export { type E };\nexport { F } from "./f.js";\nexport function g() {}\n';
    expect(exportedTypes(text)).toEqual(["A", "B", "C", "E"]);
  });

  it("finds shared names", () => {
    expect(
      shared([
        ["a", "y"],
        ["b", "x"],
        ["a", "x"],
      ]),
    ).toEqual({ a: ["x", "y"] });
  });

  it("gives no two files one name, apart from the same thing on another engine", () => {
    const named = files.filter((file) => basename(file) !== "index.ts");
    const places = named.map((file) => [basename(file), file.slice(0, file.lastIndexOf("/"))] as const);
    expect(shared(places)).toEqual(sameFiles);
  });

  it("gives no two exported types one name, apart from the same thing on another engine", () => {
    const places = files.flatMap((file) =>
      exportedTypes(readFileSync(join(source, file), "utf8")).map((name) => [name, file] as const),
    );
    expect(places.length).toBeGreaterThan(200);
    expect(shared(places)).toEqual(sameTypes);
  });
});
