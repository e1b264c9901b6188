/** Gives each node or value a name of its own: the second one of a name is called "name #2". */
export class UniqueNames {
  /** how many times each was asked for */
  readonly #counts = new Map<string, number>();

  /** This name, or that with a number behind it. */
  unique(name: string): string {
    let own = name;
    for (let k = this.#counts.get(name) ?? 1; this.#counts.has(own); own = `${name} #${k}`)
      this.#counts.set(name, ++k);
    this.#counts.set(own, 1);
    return own;
  }
}
