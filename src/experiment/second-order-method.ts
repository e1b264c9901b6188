import type { DenseEntries, SecondOrderMethod } from "./method.js";
import type { RowName } from "./result.js";

/** What a row that runs synchronously in this process is made of. */
export interface SecondOrderRow extends RowName {
  readonly runs: string;
  readonly costly?: boolean;
  /** H[E]; throws where the engine does */
  hessian(matrix: DenseEntries, direction: DenseEntries): ArrayLike<number>;
}

/** A row whose answer, where it throws, is what it says. */
export function secondOrder({ hessian, ...row }: SecondOrderRow): SecondOrderMethod {
  return {
    ...row,
    async differentiate(matrix, direction) {
      try {
        return { hessian: hessian(matrix, direction) };
      } catch (error) {
        return { none: thrown(error instanceof Error ? error.message : String(error)) };
      }
    },
  };
}

/** A row of a method that has no second derivative to ask for. */
export function withoutSecondOrder(row: RowName, why: string): SecondOrderMethod {
  return { ...row, runs: `none: ${why}`, differentiate: () => Promise.resolve({ none: why }) };
}

const mostCharacters = 160;

/** The first line of what was thrown, and no more of it than a footnote holds. */
export function thrown(message: string): string {
  const [line] = message.trim().split("\n");
  return `throws: ${line.length > mostCharacters ? `${line.slice(0, mostCharacters)}…` : line}`;
}
