import type { Finding, SecondDerivativeRow } from "./result.js";

/** The notes of the table of second derivatives, each once, in the order in which the rows need them. */
export class Footnotes {
  readonly texts: readonly string[];

  constructor(rows: readonly SecondDerivativeRow[]) {
    this.texts = [...new Set(rows.flatMap(({ note, tied }) => [note ?? [], tied.note ?? []].flat()))];
  }

  /** Of a row whose two findings share their note; counted from 1, undefined where there is none. */
  ofRow({ note, tied }: SecondDerivativeRow): number | undefined {
    return note === tied.note ? this.#number(note) : undefined;
  }

  /** Of a finding whose neighbour has another note, or none. */
  ofFinding(finding: Finding, row: SecondDerivativeRow): number | undefined {
    return row.note === row.tied.note ? undefined : this.#number(finding.note);
  }

  #number(note: string | undefined): number | undefined {
    return note === undefined ? undefined : this.texts.indexOf(note) + 1;
  }
}
