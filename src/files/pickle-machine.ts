import { FileError } from "../matrix/errors.js";
import type { PickleValue } from "./pickle-values.js";
import { allocate, type ByteSource, readInto } from "./source.js";
import { quote } from "./text.js";

/** Chosen: bytes of the pickle that are read at a time. */
const WINDOW = 1 << 16;

/** Chosen: longer than the name of any class. */
const LINE_LIMIT = 1024;

/**
 * Chosen: the most lists, dictionaries and objects, in all and for each byte of the file. A tensor takes seven of them and
 * more than a hundred bytes of the file; each may take some 400 bytes of memory.
 */
const CONTAINERS = 2 ** 21;
const CONTAINERS_LEAST = 2 ** 17;
const CONTAINERS_TIMES = 1 / 16;

/** The bytes of a pickle, its stack and what it has memorized. */
export class PickleMachine {
  readonly #source: ByteSource;
  #at: number;
  #window = new Uint8Array(0);
  #windowStart = 0;
  readonly #stack: PickleValue[] = [];
  /** heights of the stack */
  readonly #marks: number[] = [];
  /** by indices from 0, as Python gives them, which takes less memory than a map */
  readonly #memo: PickleValue[] = [];
  readonly #sparseMemo = new Map<number, PickleValue>();
  readonly #most: number;
  #containers = 0;

  /**
   * @param at  the pickle's first byte
   * @param fileSize  bytes of the file that it is in
   */
  constructor(source: ByteSource, at: number, fileSize: number) {
    this.#source = source;
    this.#at = at;
    this.#most = Math.min(CONTAINERS, Math.max(CONTAINERS_LEAST, Math.floor(CONTAINERS_TIMES * fileSize)));
  }

  /** of the next byte */
  get at(): number {
    return this.#at;
  }

  /** The next bytes, which are only there until the next call. */
  take(length: number): Uint8Array {
    const begin = this.#at;
    if (!(begin + length <= this.#source.size)) throw new FileError("its pickle is cut short");
    this.#at += length;
    if (length > WINDOW) return this.#source.read(begin, length);
    const from = begin - this.#windowStart;
    if (from >= 0 && from + length <= this.#window.length) return this.#window.subarray(from, from + length);
    this.#window = allocate(Math.min(WINDOW, this.#source.size - begin));
    this.#windowStart = begin;
    readInto(this.#source, begin, this.#window);
    return this.#window.subarray(0, length);
  }

  view(length: number): DataView {
    const bytes = this.take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  text(length: number): string {
    return new TextDecoder().decode(this.take(length));
  }

  /** Text up to a line feed. */
  line(): string {
    const begin = this.#at;
    let length = 0;
    while (this.take(1)[0] !== 0x0a) if (++length > LINE_LIMIT) throw this.damaged("a name without an end");
    const end = this.#at;
    this.#at = begin;
    const text = this.text(length);
    this.#at = end;
    return text;
  }

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  /** Pushes a list, dictionary or object, whose number is limited. */
  pushNew(value: PickleValue): void {
    this.charge(1);
    this.#stack.push(value);
  }

  /** Counts what takes as much memory as so many lists. */
  charge(containers: number): void {
    this.#containers += containers;
    if (this.#containers > this.#most)
      throw new FileError(`its pickle has more than ${this.#most} lists, dictionaries and objects`);
  }

  pop(): PickleValue {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.damaged("nothing on its stack");
    return this.#stack.pop() as PickleValue;
  }

  top(): PickleValue {
    const value = this.pop();
    this.#stack.push(value);
    return value;
  }

  mark(): void {
    this.#marks.push(this.#stack.length);
  }

  /** What was pushed since the last mark. */
  popMark(): PickleValue[] {
    const height = this.#marks.pop();
    if (height === undefined) throw this.damaged("no mark on its stack");
    return this.#stack.splice(height);
  }

  get atMark(): boolean {
    return this.#marks.at(-1) === this.#stack.length;
  }

  /** @param index  default: how many are memorized */
  memorize(index = this.#memo.length + this.#sparseMemo.size): void {
    if (index > this.#memo.length) this.#sparseMemo.set(index, this.top());
    else {
      this.#memo[index] = this.top();
      this.#sparseMemo.delete(index);
    }
  }

  recall(index: number): void {
    const value = this.#memo[index] ?? this.#sparseMemo.get(index);
    // None may be memorized, too.
    if (value === undefined && !(index < this.#memo.length))
      throw this.damaged(`nothing memorized as ${index}`);
    this.#stack.push(value ?? null);
  }

  damaged(what: string): FileError {
    return new FileError(`its pickle is damaged: at byte ${this.#at} there is ${what}`);
  }

  unknown(opcode: number): FileError {
    const shown =
      opcode > 0x20 && opcode < 0x7f ? quote(String.fromCharCode(opcode)) : `0x${opcode.toString(16)}`;
    return new FileError(
      `its pickle is damaged, or not one of protocols 2 to 5: byte ${this.#at - 1} is ${shown}`,
    );
  }
}
