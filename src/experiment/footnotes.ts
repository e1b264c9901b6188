import type { Finding, SecondDerivativeRow } from "./result.js";

/** The notes of the table of second derivatives, each once, in the order in which the rows need them. */
export class Footnotes {
  readonly texts: readonly string[];

  constructor(rows: readonly SecondDerivativeRow[]) {
    this.texts = [...new Set(rows.flatMap(({ note, tied }) => [note ?? [], tied.note ?? []].flat()))];
  }

  /** The number of a note shared by both findings of a row, from 1; undefined if there is none. */
  ofRow({ note, tied }: SecondDerivativeRow): number | undefined {
    return note === tied.note ? this.#number(note) : undefined;
  }

  /** The number of the note of one finding, if the other one has a different note or none. */
  ofFinding(finding: Finding, row: SecondDerivativeRow): number | undefined {
    return row.note === row.tied.note ? undefined : this.#number(finding.note);
  }

  #number(note: string | undefined): number | undefined {
    return note === undefined ? undefined : this.texts.indexOf(note) + 1;
  }
}
