import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { repository } from "./install.js";

/** What `package.json` exports, as sources. */
export const ENTRIES = ["index", "tfjs/index", "jax/index", "threads/index", "webgpu/index"].map(
  (name) => `src/${name}.ts`,
);

interface Exported {
  /** from the repository */
  readonly file: string;
  readonly name: string;
}

/** The names that the entry points export, with the files that declare them; `*` stands for all of a file. */
export function exported(): Exported[] {
  return ENTRIES.flatMap((entry) =>
    [
      ...readFileSync(join(repository, entry), "utf8").matchAll(
        /^export (?:type )?(\*|\{.*?\}) from "(\.\/.*?)\.js";/gms,
      ),
    ].flatMap(([, names, from]) =>
      (names === "*" ? ["*"] : names.slice(1, -1).split(","))
        .map((name) => name.trim().replace(/^type /, ""))
        .filter((name) => name !== "")
        .map((name) => ({ file: posix.join(posix.dirname(entry), `${from}.ts`), name })),
    ),
  );
}

export function publicFiles(): string[] {
  return [...new Set(exported().map(({ file }) => file))].sort();
}
