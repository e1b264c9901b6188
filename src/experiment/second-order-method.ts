import type { DenseEntries, SecondOrderMethod } from "./method.js";
import type { RowName } from "./result.js";

/** The parts of a row that runs synchronously in this process. */
interface SecondOrderRow extends RowName {
  readonly runs: string;
  readonly costly?: boolean;
  /** H[E]; throws where the engine does */
  hessian(matrix: DenseEntries, direction: DenseEntries): ArrayLike<number>;
}

/** A row whose result is the error message if `hessian` throws. */
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

/** A row of a method without a second derivative. */
export function withoutSecondOrder(row: RowName, why: string): SecondOrderMethod {
  return { ...row, runs: `none: ${why}`, differentiate: () => Promise.resolve({ none: why }) };
}

/** Chosen: the longest message in a footnote. */
const mostCharacters = 160;

/** The first line of an error message, shortened for a footnote. */
export function thrown(message: string): string {
  const [line] = message.trim().split("\n");
  return `throws: ${line.length > mostCharacters ? `${line.slice(0, mostCharacters)}…` : line}`;
}
