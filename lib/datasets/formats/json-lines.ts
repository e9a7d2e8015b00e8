import { reasonOf } from '../../errors.ts';
import type { Row } from '../../features/cell-table.ts';
import { limits } from '../../limits.ts';
import { isRecord, jsonAsWritten, parseJson } from '../../parse.ts';
import { ChunkCollector, type FilePlace, type Format, noRows } from './format.ts';
import { carriageReturn, lineEnd, newline } from './text-reader.ts';

/** JSON Lines: an object on each line; empty lines are passed over. */
export const jsonLines: Format = {
  endings: ['.jsonl', '.ndjson'],
  isText: true,
  async *read(text, { from, to = Number.POSITIVE_INFINITY, isRounded }) {
    const collector = new ChunkCollector();
    let rows: Row[] = [];
    const take = (next: FilePlace) => {
      const taken = collector.take(rows, next);
      rows = [];
      return taken;
    };
    let line = (from?.line ?? 1) - 1;
    /** Bytes of the text before those that are held. */
    let before = from?.at ?? 0;
    const add = (bytes: Buffer) => {
      line += 1;
      const own = bytes.toString('utf8').trim();
      if (own === '') return;
      const row = parseLine(own, isRounded);
      if (typeof row === 'string') collector.addBad({ line, reason: row, text: own });
      else {
        rows.push(row);
        collector.add(line, bytes.length);
      }
    };
    let rest: Buffer = nothing;
    /** How a line begins that is too long, until its end is found. */
    let tooLong: string | undefined;
    const end = (bytes: Buffer) => {
      if (tooLong === undefined && bytes.length <= limits.rowBytes) return add(bytes);
      line += 1;
      collector.addBad({ line, reason: tooLongReason, text: tooLong ?? startOf(bytes) });
      tooLong = undefined;
    };
    for await (const piece of text(before)) {
      const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
      let start = 0;
      // What was held back has no line end, but perhaps the first half of one.
      let stop = endOfLine(bytes, Math.max(0, rest.length - 1));
      for (
        ;
        stop >= 0 && (tooLong !== undefined || before + start < to);
        stop = endOfLine(bytes, start)
      ) {
        end(bytes.subarray(start, stop));
        start = stop + (bytes[stop] === carriageReturn && bytes[stop + 1] === newline ? 2 : 1);
        if (collector.isFull) yield take({ at: before + start, line: line + 1 });
      }
      before += start;
      rest = bytes.subarray(start);
      if (before >= to && tooLong === undefined) {
        rest = nothing;
        break;
      }
      if (rest.length > limits.rowBytes) {
        tooLong ??= startOf(rest);
        before += rest.length - 1;
        rest = rest.subarray(-1);
      }
      yield noRows;
    }
    if (rest.length > 0) end(rest);
    yield take({ at: before + rest.length, line: line + 1 });
  },
};

const nothing: Buffer = Buffer.alloc(0);

/** The next line end, unless it may be the first half of one. */
function endOfLine(bytes: Buffer, from: number): number {
  const end = lineEnd(bytes, from);
  return bytes[end] === carriageReturn && end + 1 === bytes.length ? -1 : end;
}

const tooLongReason = `the line has more than ${limits.rowBytes} bytes`;

function startOf(bytes: Buffer): string {
  return bytes.toString('utf8', 0, limits.badRowCharacters);
}

const oneObject =
  'the line must be a JSON object; of a list, each object goes on a line of its own (jq -c .[])';

/** Where a whole number may be that float64 has not. */
const longWhole = /(?<![.\d])\d{16}/;

/** The row of a line; a text says why it is none. */
function parseLine(text: string, isRounded = false): Row | string {
  try {
    const parsed = parseJson(text, 'the line', limits.rowBytes);
    const row = !isRounded && longWhole.test(text) ? jsonAsWritten(text) : parsed;
    if (isRecord(row)) return { ...row };
    return oneObject;
  } catch (error) {
    return text.startsWith('[') ? oneObject : reasonOf(error);
  }
}
