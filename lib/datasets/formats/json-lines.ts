import { limits } from '../../limits.ts';
import { parseJson } from '../../parse.ts';
import { type Format, type Row, RowCollector } from './format.ts';

/** JSON Lines: an object on each line; empty lines are passed over. */
export const jsonLines: Format = {
  endings: ['.jsonl', '.ndjson'],
  isText: true,
  async *read(bytes) {
    const collector = new RowCollector();
    const buffered = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let line = 0;
    for (let start = 0; start < buffered.length; ) {
      const newline = buffered.indexOf(10, start);
      const end = newline < 0 ? buffered.length : newline;
      const text = buffered.toString('utf8', start, end).trim();
      start = end + 1;
      line += 1;
      if (text === '') continue;
      const row = parseLine(text);
      if (typeof row === 'string') collector.addBad(line, row, text);
      else collector.add(row, line);
      if (collector.isFull) yield collector.take();
    }
    yield collector.take();
  },
};

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
