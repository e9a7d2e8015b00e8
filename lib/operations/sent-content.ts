import { createHash, type Hash } from 'node:crypto';
import { type ByteSource, piecesOf } from '../datasets/byte-source.ts';
import { newline } from '../datasets/formats/text-reader.ts';
import { ledgerNow } from '../fold/ledger-now.ts';
import type { Ports } from '../ports/ports.ts';
import { fileProducer } from '../spec/names.ts';

/** What a file's content is known by. */
export type SentContent = {
  /** How its producer is called, but for the size of its messages. */
  readonly producer: string;
  /** How many lines it has, about as many as rows; undefined if it is no plain text. */
  readonly lines: number | undefined;
};

/** What the content of a file is known by. @param idColumn where its rows are labels of ids */
export async function contentOf(bytes: ByteSource, idColumn?: string): Promise<SentContent> {
  const hash = createHash('sha256');
  let lines = 0;
  let isText = true;
  for await (const piece of piecesOf(bytes)) {
    hash.update(piece);
    // (What is packed, and every table of bytes, has zeros soon.)
    isText &&= !piece.includes(0);
    for (let at = piece.indexOf(newline); at >= 0; at = piece.indexOf(newline, at + 1)) lines += 1;
  }
  if (idColumn !== undefined) hash.update(`\0id:${idColumn}`);
  return { producer: nameOfDigest(hash), lines: isText && lines > 0 ? lines : undefined };
}

function nameOfDigest(hash: Hash): string {
  return fileProducer(hash.digest('hex'));
}

/** What was sent of a file, as far as the model knows. */
export type SentBefore = {
  readonly producer: string;
  /** How many of its bytes, up to where a line ends. */
  readonly bytes: number;
};

/** What `sendFile` has sent of a file, when it was no longer than that; the most of it. */
export async function sentBefore(
  ports: Pick<Ports, 'store' | 'log' | 'limits' | 'pause'>,
  model: string,
  bytes: ByteSource,
): Promise<SentBefore | undefined> {
  const { producers } = await ledgerNow(ports, model);
  const known = new Map([...producers.keys()].map((name) => [name.replace(/\d+$/, ''), name]));
  const hash = createHash('sha256');
  let [hashed, found]: [number, SentBefore | undefined] = [0, undefined];
  const look = () => {
    const producer = known.get(nameOfDigest(hash.copy()));
    if (producer !== undefined) found = { producer, bytes: hashed };
  };
  const pass = (part: Uint8Array) => {
    hash.update(part);
    hashed += part.length;
  };
  for await (const piece of known.size === 0 ? [] : piecesOf(bytes)) {
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    let start = 0;
    for (let end = buffer.indexOf(newline); end >= 0; end = buffer.indexOf(newline, end + 1)) {
      // Its last line may have had no end then.
      for (const to of [end, end + 1]) {
        pass(buffer.subarray(start, to));
        look();
        start = to;
      }
    }
    pass(buffer.subarray(start));
  }
  look();
  return found;
}
