import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gunzipSync, inflateRawSync } from 'node:zlib';

/** A public stream: the file that carries it, its label, and the best published figure. */
export type StreamFile = {
  readonly name: string;
  readonly file: string;
  readonly label: string;
  /** Accuracy, or the mean absolute error of a regression, with one sample a message. */
  readonly published: { readonly learner: string; readonly score: number };
};

/** The streams of River's benchmark table that fit a machine; its figures are of one at a time. */
export const streamFiles: readonly StreamFile[] = [
  { name: 'elec2', file: 'elec2.csv.gz', label: 'class', published: best('ALMA', 0.9064) },
  {
    name: 'phishing',
    file: 'phishing.csv.gz',
    label: 'is_phishing',
    published: best('SRP', 0.9135),
  },
  { name: 'bananas', file: 'banana.zip', label: 'class', published: best('AMF', 0.8894) },
  { name: 'segments', file: 'segment.csv.zip', label: 'category', published: best('AMF', 0.9017) },
  { name: 'chicks', file: 'chick-weights.csv', label: 'weight', published: best('AMF', 23.1) },
  {
    name: 'approval',
    file: 'trump_approval.csv.gz',
    label: 'five_thirty_eight',
    published: best('AMF', 0.269),
  },
];

function best(learner: string, score: number): StreamFile['published'] {
  return { learner, score };
}

/** A stream's rows as CSV, out of whatever its carrier packed them into. */
export function readStream(folder: string, { file, label }: StreamFile): string {
  const bytes = readFileSync(join(folder, file));
  const text = unpacked(bytes).toString('utf8');
  // Rows of LIBSVM: a class, and `column:value` of what is not 0.
  if (!/^[-+]?\d+ 1:/.test(text)) return renamed(text, label);
  const rows = text
    .trim()
    .split('\n')
    .map((line) => {
      const [own, ...cells] = line.trim().split(/\s+/);
      const values = new Map(cells.map((cell) => cell.split(':') as [string, string]));
      return `${values.get('1') ?? 0},${values.get('2') ?? 0},${own === '1'}`;
    });
  return ['x1,x2,class', ...rows].join('\n');
}

/** `weight` is a label here, and would weigh the rows otherwise. */
function renamed(text: string, label: string): string {
  return label === 'weight' ? text.replace(/^weight,/, 'grams,') : text;
}

/** The first file of a zip archive (PKWARE's APPNOTE, 4.3.7), or of a gzip stream. */
function unpacked(bytes: Buffer): Buffer {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return gunzipSync(bytes);
  if (bytes.readUInt32LE(0) !== 0x04034b50) return bytes;
  const [nameLength, extraLength] = [bytes.readUInt16LE(26), bytes.readUInt16LE(28)];
  const start = 30 + nameLength + extraLength;
  // Its length may stand behind it: what follows it is passed over.
  return inflateRawSync(bytes.subarray(start), { finishFlush: constants.Z_SYNC_FLUSH });
}
