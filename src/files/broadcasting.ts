import type { ValueShape } from "./network.js";
import { GIVE_SIZES, NoBound } from "./no-bound.js";
import type { SymbolicLengths } from "./symbolic-lengths.js";

/** What shapes come to where they are taken entry by entry. @throws NoBound if they cannot be */
export function broadcastShape(
  lengths: SymbolicLengths,
  shapes: readonly (ValueShape | undefined)[],
): ValueShape | undefined {
  const rank = Math.max(0, ...shapes.map((shape) => shape?.length ?? Number.POSITIVE_INFINITY));
  if (!Number.isFinite(rank)) return undefined;
  return Array.from({ length: rank }, (_, axis) => {
    const all = shapes.map((shape = []) => shape[axis - rank + shape.length] ?? 1);
    const fixed = all.find((length) => typeof length === "number" && length !== 1);
    if (all.some((length) => typeof length === "number" && length !== 1 && length !== fixed))
      throw new NoBound(
        `its inputs have shapes that do not fit together: ${shapes.map(shapeText).join(" and ")}`,
      );
    if (fixed !== undefined) return fixed;
    const open = [...new Set(all.filter((length) => typeof length === "string"))].sort();
    return open.length === 0 ? 1 : open.length === 1 ? open[0] : lengths.of("broadcast", ...open);
  });
}

/** Not below how often an entry of a value occurs where its shape becomes a larger one. @throws NoBound if that is open */
export function copiesOf(from: ValueShape | undefined, to: ValueShape | undefined): number {
  let copies = 1;
  const unclear = () =>
    new NoBound(
      `it may repeat a value of shape ${shapeText(from)} to shape ${shapeText(to)}, and how often is open; ${GIVE_SIZES}`,
    );
  if (!to || !from) throw unclear();
  to.forEach((length, axis) => {
    const at = axis - to.length + from.length;
    const own = at < 0 ? 1 : from[at];
    if (own === length) return;
    if (typeof own === "number" && own !== 1) return;
    // An open length is 1 or the other one.
    if (typeof length !== "number") throw unclear();
    copies *= length;
  });
  return copies;
}

export function shapeText(shape: ValueShape | undefined): string {
  return shape ? `[${shape.slice(0, 8).join(", ")}${shape.length > 8 ? ", …" : ""}]` : "unknown";
}
