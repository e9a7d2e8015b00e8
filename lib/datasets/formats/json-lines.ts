import { chunkRows, type Format, type Row } from './format.ts';

/** JSON Lines: an object on each line; empty lines are passed over. */
export const jsonLines: Format = {
  ending: '.jsonl',
  mayBeGzip: true,
  async *read(bytes) {
    const buffered = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let rows: Row[] = [];
    let line = 0;
    for (let start = 0; start < buffered.length; ) {
      const newline = buffered.indexOf(10, start);
      const end = newline < 0 ? buffered.length : newline;
      const text = buffered.toString('utf8', start, end).trim();
      start = end + 1;
      line += 1;
      if (text === '') continue;
      rows.push(parseLine(text, line));
      if (rows.length === chunkRows) {
        yield rows;
        rows = [];
      }
    }
    if (rows.length > 0) yield rows;
  },
};

function parseLine(text: string, line: number): Row {
  try {
    const row: unknown = JSON.parse(text);
    if (typeof row === 'object' && row !== null) return { ...row };
  } catch (cause) {
    throw new Error(`line ${line} must be JSON`, { cause });
  }
  throw new Error(`line ${line} must be a JSON object`);
}
