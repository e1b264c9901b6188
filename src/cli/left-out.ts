import { oneLine } from "../files/text.js";

/** The most reasons listed for one file. Chosen; a hostile file may have one for each tensor. */
const REASONS = 20;

/** The entries of a file that were left out for one reason. */
export interface LeftOut<T> {
  readonly reason: string;
  readonly those: readonly T[];
}

/** By reason, the most frequent first; the rarest ones together if there are too many. */
export function byReason<T extends { readonly reason: string }>(all: readonly T[]): LeftOut<T>[] {
  const reasons = new Map<string, T[]>();
  for (const one of all) {
    const reason = oneLine(one.reason.replace(/^is /, ""));
    const those = reasons.get(reason);
    if (those) those.push(one);
    else reasons.set(reason, [one]);
  }
  const found = [...reasons]
    .map(([reason, those]) => ({ reason, those }))
    .sort((a, b) => b.those.length - a.those.length);
  if (found.length <= REASONS) return found;
  const rest = found.slice(REASONS - 1);
  return [
    ...found.slice(0, REASONS - 1),
    { reason: `${rest.length} other reasons`, those: rest.flatMap(({ those }) => those) },
  ];
}

/** One line for each reason: "FILE: 3 tensors left out: a vector". */
export function leftOutLines(
  file: string,
  noun: readonly [one: string, several: string],
  all: readonly { readonly reason: string }[],
): string[] {
  return byReason(all).map(
    ({ reason, those: { length } }) =>
      `${oneLine(file)}: ${length} ${noun[length === 1 ? 0 : 1]} left out: ${reason}`,
  );
}
