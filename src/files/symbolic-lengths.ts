/** The length of an axis: a number, or the text of an expression in lengths that are open. */
export type Length = number | string;

/** A polynomial in open lengths: the coefficient of each monomial, which is a sorted list of its factors. */
type Polynomial = ReadonlyMap<string, number>;

/** Chosen: more terms, factors and characters than expressions of real networks have. Longer ones get a short name. */
const TERMS_LIMIT = 8;
const FACTORS_LIMIT = 6;
const TEXT_LIMIT = 64;

/** Between the factors of a monomial; no name contains it. */
const TIMES = "\0";

/** What a symbol may be called as it is; others are put in quotes, so that none looks like an expression. */
const PLAIN = /^[A-Za-z_][A-Za-z_0-9]*$/;

/**
 * Arithmetic on lengths, some of which are open. Expressions that are equal texts are equal for every value of the open
 * lengths. The converse need not hold: equal lengths may have different texts.
 */
export class SymbolicLengths {
  readonly #polynomials = new Map<string, Polynomial>();
  readonly #names = new Map<string, string>();
  /** of names of ⌊b/m⌋ */
  readonly #floors = new Map<string, { readonly b: Length; readonly m: number }>();

  /** The length that a file calls by a name: the same name is the same length. */
  symbol(name: string): Length {
    return this.#atom(PLAIN.test(name) ? name : JSON.stringify(name));
  }

  /** An axis of a value, whose length is open. */
  open(name: string, axis: number): Length {
    return this.#atom(`${PLAIN.test(name) ? name : JSON.stringify(name)}[${axis}]`);
  }

  /** A function of lengths and numbers of which nothing else is known. */
  of(name: string, ...parameters: readonly Length[]): Length {
    return this.#atom(`${name}(${parameters.join(", ")})`);
  }

  plus(a: Length, b: Length): Length {
    if (typeof a === "number" && typeof b === "number") return a + b;
    const sum = new Map(this.#polynomial(a));
    for (const [monomial, coefficient] of this.#polynomial(b))
      sum.set(monomial, (sum.get(monomial) ?? 0) + coefficient);
    return this.#length(sum) ?? this.of("sum", ...inOrder(a, b));
  }

  times(a: Length, b: Length): Length {
    if (typeof a === "number" && typeof b === "number") return a * b;
    const product = new Map<string, number>();
    for (const [m, c] of this.#polynomial(a))
      for (const [n, d] of this.#polynomial(b)) {
        const monomial = factorsOf(m).concat(factorsOf(n)).sort().join(TIMES);
        product.set(monomial, (product.get(monomial) ?? 0) + c * d);
      }
    return this.#length(product) ?? this.of("product", ...inOrder(a, b));
  }

  product(lengths: readonly Length[]): Length {
    return lengths.reduce<Length>((a, b) => this.times(a, b), 1);
  }

  /** ⌊a/n⌋ */
  floor(a: Length, n: number): Length {
    if (typeof a === "number") return Math.floor(a / n);
    if (n === 1) return a;
    // What n divides comes before: ⌊(n·q + r)/n⌋ = q + ⌊r/n⌋, with coefficients of r from 0 to n − 1.
    const quotient = new Map<string, number>();
    const rest = new Map<string, number>();
    for (const [monomial, coefficient] of this.#polynomial(a)) {
      const q = Math.floor(coefficient / n);
      quotient.set(monomial, q);
      rest.set(monomial, coefficient - q * n);
    }
    const [whole, part] = [this.#length(quotient), this.#length(rest)];
    if (whole === undefined || part === undefined) return this.of("floor", a, n);
    if (typeof part === "number") return this.plus(whole, Math.floor(part / n));
    // ⌊(⌊b/m⌋ + k)/n⌋ = ⌊(b + k·m)/(m·n)⌋
    const terms = [...rest].filter(([, coefficient]) => coefficient !== 0);
    const inner = terms
      .map(([monomial, c]) => (c === 1 ? this.#floors.get(monomial) : undefined))
      .find((b) => b);
    const constant = rest.get("") ?? 0;
    if (inner && terms.length === (constant === 0 ? 1 : 2) && Number.isSafeInteger(inner.m * n))
      return this.plus(whole, this.floor(this.plus(inner.b, constant * inner.m), inner.m * n));
    const name = this.#atom(PLAIN.test(part) ? `floor(${part}/${n})` : `floor((${part})/${n})`);
    this.#floors.set(name, { b: part, m: n });
    return this.plus(whole, name);
  }

  /** a/b where that is an integer. */
  over(a: Length, b: Length): Length {
    if (typeof a === "number" && typeof b === "number") return a / b;
    const divisor = [...this.#polynomial(b)];
    const quotient = new Map<string, number>();
    if (divisor.length === 1) {
      const [[monomial, coefficient]] = divisor;
      for (const [m, c] of this.#polynomial(a)) {
        const rest = withoutFactors(factorsOf(m), factorsOf(monomial));
        if (rest === undefined || c % coefficient !== 0) return this.of("quotient", a, b);
        quotient.set(rest.join(TIMES), c / coefficient);
      }
      const found = this.#length(quotient);
      if (found !== undefined) return found;
    }
    return a === b ? 1 : this.of("quotient", a, b);
  }

  /** Whether a length that is open is known to be positive. */
  isPositive(a: Length): boolean {
    if (typeof a === "number") return a > 0;
    return [...this.#polynomial(a).values()].every((coefficient) => coefficient > 0);
  }

  #atom(text: string): string {
    let name = text;
    if (text.length > TEXT_LIMIT) {
      name = this.#names.get(text) ?? `(${this.#names.size})`;
      this.#names.set(text, name);
    }
    this.#polynomials.set(name, new Map([[name, 1]]));
    return name;
  }

  #polynomial(length: Length): Polynomial {
    if (typeof length === "number") return new Map([["", length]]);
    const found = this.#polynomials.get(length);
    if (!found) throw new Error(`no length is called ${length}`);
    return found;
  }

  #length(polynomial: ReadonlyMap<string, number>): Length | undefined {
    const terms = [...polynomial].filter(([, coefficient]) => coefficient !== 0);
    if (terms.length === 0) return 0;
    if (terms.length > TERMS_LIMIT) return undefined;
    if (terms.some(([m, c]) => !Number.isSafeInteger(c) || factorsOf(m).length > FACTORS_LIMIT))
      return undefined;
    if (terms.length === 1 && terms[0][0] === "") return terms[0][1];
    terms.sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a < b ? -1 : 1));
    const text = terms
      .map(([m, c], k) => {
        const size = Math.abs(c);
        const symbols = factorsOf(m).join("·");
        const factor = m === "" ? `${size}` : size === 1 ? symbols : `${size}·${symbols}`;
        return k === 0 ? (c < 0 ? `-${factor}` : factor) : c < 0 ? ` - ${factor}` : ` + ${factor}`;
      })
      .join("");
    if (text.length > TEXT_LIMIT) return undefined;
    if (!this.#polynomials.has(text)) this.#polynomials.set(text, new Map(terms));
    return text;
  }
}

function factorsOf(monomial: string): string[] {
  return monomial === "" ? [] : monomial.split(TIMES);
}

function withoutFactors(all: readonly string[], some: readonly string[]): string[] | undefined {
  const rest = [...all];
  for (const factor of some) {
    const at = rest.indexOf(factor);
    if (at < 0) return undefined;
    rest.splice(at, 1);
  }
  return rest;
}

function inOrder(a: Length, b: Length): readonly Length[] {
  return String(a) < String(b) ? [a, b] : [b, a];
}
