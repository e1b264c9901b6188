import { FileError } from "../matrix/errors.js";
import type { Hdf5Cursor } from "./hdf5-cursor.js";
import type { Hdf5File } from "./hdf5-file.js";

/** Types of header messages, by the specification's numbers. */
export const MESSAGE = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  oldFillValue: 0x04,
  fillValue: 0x05,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

export interface Hdf5Message {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

/** Chosen: more messages than the header of an object has. */
const MESSAGES_LIMIT = 2 ** 17;

const WHAT = "an object header";

/** What messages are about, for the messages of errors. */
const NAMES: Readonly<Record<number, string>> = {
  [MESSAGE.dataspace]: "its shape",
  [MESSAGE.datatype]: "its type",
  [MESSAGE.fillValue]: "its fill value",
  [MESSAGE.layout]: "the place of its numbers",
  [MESSAGE.filters]: "its list of filters",
};

const PREFIX_BYTES = 16;
/** The prefix of version 2 takes at most so many bytes. */
const PREFIX_2_BYTES = 34;
const CHECKSUM_BYTES = 4;

/** In the flags of a message: its body says where it is shared. */
const SHARED = 2;

/**
 * The messages in an object's header, in order.
 *
 * Format: HDF5 File Format Specification 3.0, section IV.A. Checksums are not looked at.
 *
 * @throws FileError if it is damaged
 */
export function readObjectHeader(file: Hdf5File, address: number): Hdf5Message[] {
  const head = file.block(address, PREFIX_BYTES, WHAT);
  return head.bytes[0] === 1 ? readVersion1(file, address, head) : readVersion2(file, address);
}

function readVersion1(file: Hdf5File, address: number, head: Hdf5Cursor): Hdf5Message[] {
  head.skip(8);
  const size = head.unsigned(4);
  return withContinuations(file, file.block(address + PREFIX_BYTES, size, WHAT), (block) => {
    if (block.left < 8) return undefined;
    const type = block.unsigned(2);
    const length = block.unsigned(2);
    const flags = block.unsigned(1);
    block.skip(3);
    return { type, flags, body: block.take(length) };
  });
}

function readVersion2(file: Hdf5File, address: number): Hdf5Message[] {
  const head = file.block(address, Math.min(PREFIX_2_BYTES, file.room(address)), WHAT);
  head.signature("OHDR");
  head.version(2);
  const flags = head.unsigned(1);
  if (flags & 0x20) head.skip(16);
  if (flags & 0x10) head.skip(4);
  const size = head.unsigned(2 ** (flags & 3));
  const tracked = (flags & 4) !== 0;
  return withContinuations(
    file,
    file.block(address + head.at, size, WHAT),
    (block) => {
      if (block.left < (tracked ? 6 : 4)) return undefined;
      const type = block.unsigned(1);
      const length = block.unsigned(2);
      const how = block.unsigned(1);
      if (tracked) block.skip(2);
      return { type, flags: how, body: block.take(length) };
    },
    "OCHK",
  );
}

/** @param signature  of the blocks that continue the first one, which then end with a checksum */
function withContinuations(
  file: Hdf5File,
  first: Hdf5Cursor,
  next: (block: Hdf5Cursor) => Hdf5Message | undefined,
  signature?: string,
): Hdf5Message[] {
  const messages: Hdf5Message[] = [];
  const seen = new Set<number>();
  const blocks = [first];
  for (let block = blocks.shift(); block; block = blocks.shift()) {
    for (let message = next(block); message; message = next(block)) {
      if (messages.push(message) > MESSAGES_LIMIT)
        throw new FileError(`${WHAT} has more than ${MESSAGES_LIMIT} messages`);
      if (message.type !== MESSAGE.continuation) continue;
      const body = file.cursor(message.body, WHAT);
      const address = body.address();
      const length = body.length();
      if (address === undefined || seen.has(address))
        throw new FileError(`${WHAT} is damaged: it continues within itself`);
      seen.add(address);
      const more = file.block(address, length, WHAT);
      if (signature !== undefined) more.signature(signature);
      blocks.push(signature === undefined ? more : more.part(Math.max(0, more.left - CHECKSUM_BYTES)));
    }
  }
  return messages;
}

/**
 * The body of the first message of a type, found where it is shared; undefined if there is none.
 *
 * @throws FileError if it is shared in a way that is not read
 */
export function bodyOf(
  file: Hdf5File,
  messages: readonly Hdf5Message[],
  type: number,
): Hdf5Cursor | undefined {
  const message = messages.find((one) => one.type === type);
  if (!message) return undefined;
  if (!(message.flags & SHARED)) return file.cursor(message.body, NAMES[type] ?? WHAT);
  return sharedBody(file, file.cursor(message.body, WHAT), type);
}

/** The body of a message that another object has, such as a named datatype. */
export function sharedBody(file: Hdf5File, reference: Hdf5Cursor, type: number): Hdf5Cursor {
  const version = reference.version(1, 2, 3);
  const kind = reference.unsigned(1);
  if (version === 1) reference.skip(6);
  if (version === 3 && kind !== 2)
    throw new FileError("shares its description in a table of messages, which is not read");
  const address = reference.address();
  if (address === undefined) throw new FileError("shares its description with an object that has no address");
  const shared = readObjectHeader(file, address).find((one) => one.type === type);
  if (!shared || shared.flags & SHARED)
    throw new FileError("shares its description with an object that has none");
  return file.cursor(shared.body, WHAT);
}
