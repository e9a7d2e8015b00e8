import { limits } from '../../limits.ts';
import { parseJson } from '../../parse.ts';
import { type Format, type Row, RowCollector } from './format.ts';

/** JSON Lines: an object on each line; empty lines are passed over. */
export const jsonLines: Format = {
  endings: ['.jsonl', '.ndjson'],
  isText: true,
  async *read(pieces) {
    const collector = new RowCollector();
    let line = 0;
    const add = (bytes: Buffer) => {
      line += 1;
      if (bytes.length > limits.rowBytes) return collector.addBad(line, tooLong, startOf(bytes));
      const text = bytes.toString('utf8').trim();
      if (text === '') return;
      const row = parseLine(text);
      if (typeof row === 'string') collector.addBad(line, row, text);
      else collector.add(row, line, bytes.length);
    };
    let rest: Buffer = Buffer.alloc(0);
    for await (const piece of pieces) {
      const bytes = Buffer.concat([rest, piece]);
      let start = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
        add(bytes.subarray(start, end));
        start = end + 1;
        if (collector.isFull) yield collector.take();
      }
      // Of a line that is too long, no more than what shows it to be.
      rest = bytes.subarray(start, start + limits.rowBytes + 1);
    }
    if (rest.length > 0) add(rest);
    yield collector.take();
  },
};

const tooLong = `the line has more than ${limits.rowBytes} bytes`;

function startOf(bytes: Buffer): string {
  return bytes.toString('utf8', 0, limits.badRowCharacters);
}

/** The row of a line; a text says why it is none. */
function parseLine(text: string): Row | string {
  try {
    const row: unknown = parseJson(text, 'the line', limits.rowBytes);
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) return { ...row };
    return 'the line must be a JSON object';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
