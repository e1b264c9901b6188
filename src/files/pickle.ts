import { FileError } from "../matrix/errors.js";
import { PickleMachine } from "./pickle-machine.js";
import { PickleGlobal, PickleObject, type PickleReader, type PickleValue } from "./pickle-values.js";
import type { ByteSource } from "./source.js";

/** Chosen: some 40 for each of 200 000 tensors. A hostile file would take memory for each. */
const OPCODES = 2 ** 23;
const OPCODES_LEAST = 2 ** 16;

/** Chosen: bytes of an integer; no count takes more than eight. */
const INTEGER_BYTES = 255;

const NEWEST_PROTOCOL = 5;

type Instruction = (machine: PickleMachine, reader: PickleReader) => void;

/** A pickle's value, and where it ends in its source. */
export interface Unpickled {
  readonly value: PickleValue;
  readonly end: number;
}

/**
 * The value of a pickle. Nothing of it is run: of a class or function only the name is known, and `reader` says what a
 * few of them stand for. Any other becomes a `PickleObject` with its name.
 *
 * Format: Python's pickletools.py, the opcodes of protocols 2 to 5 that need no registry or buffers beside the pickle.
 *
 * Limits: 2²³ opcodes, and no more than bytes in the file or 65536; 2²¹ lists, dictionaries and objects, and no more than
 * one for 16 bytes of the file or 131072; names of 1024 bytes; integers of 255 bytes.
 *
 * @param begin  the pickle's first byte
 * @param fileSize  bytes of the file that it is in, if `source` is a part of it
 * @throws FileError if it is damaged or beyond these limits
 */
export function readPickle(
  source: ByteSource,
  begin: number,
  reader: PickleReader,
  fileSize = source.size,
): Unpickled {
  const machine = new PickleMachine(source, begin, fileSize);
  const limit = Math.min(OPCODES, Math.max(OPCODES_LEAST, fileSize));
  for (let count = 0; count < limit; count++) {
    const opcode = machine.take(1)[0];
    if (opcode === STOP) return { value: machine.pop(), end: machine.at };
    const instruction = INSTRUCTIONS[opcode];
    if (!instruction) throw machine.unknown(opcode);
    instruction(machine, reader);
  }
  throw new FileError(`its pickle has more than ${limit} opcodes`);
}

const STOP = 0x2e;

/** The length before a string, of one, four or eight bytes. */
const length1 = (m: PickleMachine) => m.take(1)[0];
const length4 = (m: PickleMachine) => m.view(4).getUint32(0, true);
const length8 = (m: PickleMachine) => Number(m.view(8).getBigUint64(0, true));

const string =
  (length: (m: PickleMachine) => number): Instruction =>
  (m) =>
    m.push(m.text(length(m)));

const bytes =
  (length: (m: PickleMachine) => number): Instruction =>
  (m) =>
    m.push(m.take(length(m)).slice());

const tuple =
  (length: number): Instruction =>
  (m) => {
    const items: PickleValue[] = [];
    for (let i = 0; i < length; i++) items.push(m.pop());
    m.pushNew(items.reverse());
  };

const fromMark: Instruction = (m) => m.pushNew(m.popMark());

const extend: Instruction = (m) => append(m, m.popMark());

const fill: Instruction = (m) => setItems(m, m.popMark());

const INSTRUCTIONS: readonly (Instruction | undefined)[] = instructions({
  128: (m) => {
    const protocol = m.take(1)[0];
    if (protocol > NEWEST_PROTOCOL)
      throw m.damaged(`protocol ${protocol} of pickle, newer than ${NEWEST_PROTOCOL}`);
  },
  // Frames only group what is to be read at once.
  149: (m) => void m.take(8),
  "(": (m) => m.mark(),
  "0": (m) => (m.atMark ? void m.popMark() : void m.pop()),
  "1": (m) => void m.popMark(),
  "2": (m) => m.push(m.top()),

  N: (m) => m.push(null),
  136: (m) => m.push(true),
  137: (m) => m.push(false),
  K: (m) => m.push(m.take(1)[0]),
  M: (m) => m.push(m.view(2).getUint16(0, true)),
  J: (m) => m.push(m.view(4).getInt32(0, true)),
  138: (m) => m.push(integer(m, length1(m))),
  139: (m) => m.push(integer(m, length4(m))),
  G: (m) => m.push(m.view(8).getFloat64(0)),

  X: string(length4),
  140: string(length1),
  141: string(length8),
  // Strings of Python 2.
  T: string(length4),
  U: string(length1),
  B: bytes(length4),
  C: bytes(length1),
  142: bytes(length8),
  150: bytes(length8),

  "]": (m) => m.pushNew([]),
  ")": (m) => m.pushNew([]),
  143: (m) => m.pushNew([]),
  l: fromMark,
  t: fromMark,
  145: fromMark,
  133: tuple(1),
  134: tuple(2),
  135: tuple(3),
  a: (m) => append(m, [m.pop()]),
  e: extend,
  144: extend,
  "}": (m) => m.pushNew(new Map()),
  d: (m) => {
    const items = m.popMark();
    m.pushNew(new Map());
    setItems(m, items);
  },
  s: (m) => {
    const value = m.pop();
    setItems(m, [m.pop(), value]);
  },
  u: fill,

  q: (m) => m.memorize(length1(m)),
  r: (m) => m.memorize(length4(m)),
  148: (m) => m.memorize(),
  h: (m) => m.recall(length1(m)),
  j: (m) => m.recall(length4(m)),

  c: (m) => {
    const module = m.line();
    m.pushNew(new PickleGlobal(`${module}.${m.line()}`));
  },
  147: (m) => {
    const [name, module] = [m.pop(), m.pop()];
    if (typeof module !== "string" || typeof name !== "string") throw m.damaged("a class without a name");
    m.pushNew(new PickleGlobal(`${module}.${name}`));
  },
  R: (m, reader) => {
    const parameters = m.pop();
    call(m, reader, m.pop(), parameters);
  },
  129: (m, reader) => {
    const parameters = m.pop();
    call(m, reader, m.pop(), parameters);
  },
  146: (m, reader) => {
    m.pop();
    const parameters = m.pop();
    call(m, reader, m.pop(), parameters);
  },
  b: (m) => {
    const state = m.pop();
    const object = m.top();
    // What else has attributes, such as an ordered dictionary, is complete without them.
    if (object instanceof PickleObject) object.state = state;
  },
  Q: (m, reader) => m.push(reader.persistent(m.pop())),
});

/** By opcode; a letter stands for its ASCII code. */
function instructions(by: Readonly<Record<string, Instruction>>): (Instruction | undefined)[] {
  const all: (Instruction | undefined)[] = new Array(256).fill(undefined);
  for (const [key, instruction] of Object.entries(by))
    all[key.length === 1 ? key.charCodeAt(0) : Number(key)] = instruction;
  return all;
}

/** An integer in two's complement, low byte first. */
function integer(m: PickleMachine, length: number): number | bigint {
  if (length > INTEGER_BYTES) throw m.damaged(`an integer of ${length} bytes`);
  let value = 0n;
  for (const byte of m.take(length).toReversed()) value = (value << 8n) | BigInt(byte);
  const signed = BigInt.asIntN(8 * length, value);
  const number = Number(signed);
  return Number.isSafeInteger(number) ? number : signed;
}

/** Puts items into the list, or the object that is like one, on top of the stack. */
function append(m: PickleMachine, items: readonly PickleValue[]): void {
  const list = m.top();
  if (Array.isArray(list)) for (const item of items) list.push(item);
  else if (!(list instanceof PickleObject)) throw m.damaged("an item for what is no list");
}

/** Puts keys and values, in turn, into the dictionary, or the object that is like one, on top of the stack. */
function setItems(m: PickleMachine, items: readonly PickleValue[]): void {
  const dictionary = m.top();
  if (items.length % 2 !== 0) throw m.damaged("a key without a value");
  if (dictionary instanceof PickleObject) return;
  if (!(dictionary instanceof Map)) throw m.damaged("a key for what is no dictionary");
  for (let i = 0; i < items.length; i += 2) dictionary.set(items[i], items[i + 1]);
}

function call(m: PickleMachine, reader: PickleReader, callable: PickleValue, parameters: PickleValue): void {
  if (!Array.isArray(parameters)) throw m.damaged("a call without arguments");
  if (callable instanceof PickleGlobal) {
    const { name } = callable;
    m.pushNew(container(m, name, parameters) ?? reader.call(name, parameters) ?? objectOf(name, parameters));
  } else if (callable instanceof PickleObject) m.pushNew(new PickleObject(callable.maker));
  else throw m.damaged("a call of what is no function");
}

/** The containers of Python's library. */
function container(m: PickleMachine, name: string, [items]: readonly PickleValue[]): PickleValue | undefined {
  switch (name) {
    case "collections.OrderedDict":
      return dictionaryOf(m, items);
    case "collections.defaultdict":
      return new Map();
    case "builtins.set":
    case "__builtin__.set":
    case "builtins.frozenset":
    case "__builtin__.frozenset":
      return Array.isArray(items) ? items : [];
    default:
      return undefined;
  }
}

/** Python 2 wrote an ordered dictionary as the list of its items. */
function dictionaryOf(m: PickleMachine, items: PickleValue | undefined): PickleValue {
  const dictionary = new Map<PickleValue, PickleValue>();
  if (!Array.isArray(items)) return dictionary;
  // The same list may be given again and again.
  m.charge(items.length);
  for (const item of items) if (Array.isArray(item) && item.length === 2) dictionary.set(item[0], item[1]);
  return dictionary;
}

/** Objects of protocol 2 may be made by a function that is given their class. */
function objectOf(name: string, [first]: readonly PickleValue[]): PickleObject {
  const byClass = /^copy_?reg\._reconstructor$/.test(name) && first instanceof PickleGlobal;
  return new PickleObject(byClass ? first.name : name);
}
