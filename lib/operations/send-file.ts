import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ByteSource } from '../datasets/byte-source.ts';
import { type DatasetFile, readRows } from '../datasets/rows.ts';
import { fieldInFile, rowReader } from '../datasets/to-sample.ts';
import { invalid, isOfKind, reasonOf } from '../errors.ts';
import { createEncoder } from '../features/encoder.ts';
import { isLateLabel } from '../features/sample-id.ts';
import { ledgerNow } from '../fold/ledger-now.ts';
import { limits } from '../limits.ts';
import { listNames, plainJson } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { numberedMessage } from '../ports/producer.ts';
import type { Spec } from '../spec/spec.ts';
import { judge, type Ledger, wasEvicted } from '../state/ledger.ts';
import { contentOf, type SentContent } from './sent-content.ts';
import { labelsPerMessage, readLabels, readSent, refusedOf } from './sent-rows.ts';

/** How a file is sent. */
export type SendOptions = {
  /**
   * Samples of a message; a message is smaller where they do not fit. Unless given, as many as when
   * the content was sent before, or about a fiftieth of it, from 20 to 500.
   */
  readonly samplesPerMessage?: number;
  /** Samples a second; as fast as it goes unless given. */
  readonly rate?: number;
  /** Waits some milliseconds. */
  readonly wait: (milliseconds: number) => Promise<void>;
  /** The column of ids, where the rows are labels of what was asked under them. */
  readonly idColumn?: string | undefined;
  /** Called after each message with the samples so far. */
  readonly onSent?: (samples: number) => void;
};

/** What sending a file came to. */
export type SentFile = {
  readonly producer: string;
  readonly messages: number;
  readonly samples: number;
  /** Messages that the model had settled before, and that were not sent again. */
  readonly settledBefore: number;
  /** Rows that cannot be read, and were not sent; how many, and the first of them. */
  readonly badRows: number;
  readonly bad: readonly PlacedReason[];
  /** Samples that the model will refuse, to quarantine; how many, and the first of them. */
  readonly refused: number;
  readonly refusals: readonly PlacedReason[];
  /** Columns that the spec names and the file has not: they count as missing. */
  readonly absent: readonly string[];
};

/** Where something is wrong in a file, and what. */
export type PlacedReason = { readonly line: number; readonly reason: string };

/**
 * Sends the rows of a file to a model as samples, in their order. The producer is named after the
 * file's content, and the messages are cut alike each time: sending the file again changes
 * nothing, and goes on where it was broken off.
 *
 * @throws MillraceError kind `invalid` if the content was sent already in messages of another size
 */
export async function sendFile(
  ports: Pick<Ports, 'store' | 'log' | 'sendSamples' | 'now' | 'nonce' | 'limits' | 'pause'>,
  spec: Spec,
  file: { readonly name: string; readonly bytes: ByteSource },
  { idColumn, samplesPerMessage: given, rate, wait, onSent = () => undefined }: SendOptions,
): Promise<SentFile> {
  const content = await contentOf(file.bytes, idColumn);
  const ledger = await ledgerNow(ports, spec.model);
  const before = sizeBefore(ledger, content);
  const usual = async () =>
    idColumn === undefined
      ? usualSize(content.lines ?? (await someRows({ ...file, columns: rowReader(spec).columns })))
      : labelsPerMessage(spec);
  const samplesPerMessage = given ?? before ?? (await usual());
  assertSameCut(before, samplesPerMessage);
  const producer = `${content.producer}${samplesPerMessage}`;
  const isSettled = (seq: number) =>
    judge(ledger, { by: 'producer', producer, seq }, ports.limits).verdict === 'settled';
  const sums = { messages: 0, samples: 0, settledBefore: 0 };
  const notes: Notes = { badRows: 0, bad: [], refused: 0, refusals: [], absent: [] };
  const started = ports.now();
  const run = ports.nonce();
  let seq = 0;
  // One is on its way while the next is made; none leaves before the one before it was taken.
  let onItsWay: Promise<void> = Promise.resolve();
  const messages = messagesOf(spec, { ...file, idColumn }, samplesPerMessage, notes);
  for await (const message of withWhatWasSent(messages, () => ({ ...sums, producer }))) {
    seq += 1;
    await onItsWay;
    sums.samples += message.length;
    if (isSettled(seq)) {
      sums.settledBefore += 1;
      // Nothing is waited for here; whoever wants to stop must be heard.
      await nextTurn();
    } else {
      onItsWay = ports.sendSamples(
        numberedMessage({ model: spec.model, name: producer, seq }, { texts: message }, run),
      );
      // It is awaited, but what fails meanwhile comes first.
      onItsWay.catch(() => undefined);
      sums.messages += 1;
    }
    onSent(sums.samples);
    if (rate !== undefined) {
      const due = started + (1_000 * sums.samples) / rate;
      if (due > ports.now()) await wait(due - ports.now());
    }
  }
  await onItsWay;
  return { producer, ...sums, ...notes };
}

/** The same messages; where the file cannot be read on, the error says what was sent of it. */
async function* withWhatWasSent<Message>(
  messages: AsyncIterable<Message>,
  sent: () => { readonly samples: number; readonly messages: number; readonly producer: string },
): AsyncGenerator<Message> {
  try {
    yield* messages;
  } catch (error) {
    const { samples, producer } = sent();
    if (!isOfKind(error, 'invalid') || samples === 0) throw error;
    throw invalid(
      `${reasonOf(error)}; the ${samples} samples before were sent, as producer ${producer}: a ` +
        'mended file is another one, and would have them learnt again, unless it has only the rest',
      error,
    );
  }
}

/** What is noted while a file is read. */
type Notes = {
  badRows: number;
  readonly bad: PlacedReason[];
  refused: number;
  readonly refusals: PlacedReason[];
  absent: readonly string[];
};

/** A file as JSON samples in messages: as many as allowed, and no more than one can hold. */
async function* messagesOf(
  spec: Spec,
  {
    idColumn,
    ...file
  }: { readonly name: string; readonly bytes: ByteSource; readonly idColumn: string | undefined },
  most: number,
  notes: Notes,
): AsyncGenerator<readonly string[]> {
  const encoder = createEncoder(spec);
  const write = sampleWriter(spec);
  const mostLabels = labelsPerMessage(spec);
  let message: string[] = [];
  let bytes = 0;
  let hasBegun = false;
  for await (const chunk of idColumn === undefined
    ? readSent(spec, file)
    : readLabels(spec, file, idColumn)) {
    const room = (list: readonly PlacedReason[]) => limits.refusedExamples - list.length;
    notes.bad.push(
      ...chunk.bad.slice(0, room(notes.bad)).map(({ line, reason }) => ({ line, reason })),
    );
    notes.badRows += chunk.bad.length;
    const refused = refusedOf(encoder, chunk.samples);
    const [first] = refused;
    if (!hasBegun && first !== undefined && refused.length === chunk.samples.length) {
      const { line } = chunk.placeOf(first.index);
      const absent = chunk.absent();
      const found = absent.length === 0 ? '' : `; the file has no column ${listNames(absent)}`;
      const [bad] = notes.bad;
      const unread = bad === undefined ? '' : `; line ${bad.line} cannot be read: ${bad.reason}`;
      throw invalid(
        `nothing is sent: ${noneOf(refused.length)} can be learnt ` +
          `(line ${line}, ${fieldInFile(spec, first.field)}: ${first.reason})${found}${unread}`,
      );
    }
    notes.refused += refused.length;
    if (!hasBegun) notes.absent = chunk.absent();
    hasBegun ||= chunk.samples.length > 0;
    for (const { index, field, reason } of refused.slice(0, room(notes.refusals)))
      notes.refusals.push({
        line: chunk.placeOf(index).line,
        reason: `${fieldInFile(spec, field)}: ${reason}`,
      });
    for (const sample of chunk.samples) {
      const text = write(sample);
      const own = Buffer.byteLength(text) + 1;
      const mostHere = isLateLabel(sample) ? Math.min(most, mostLabels) : most;
      if (message.length >= mostHere || (bytes + own > sampleBytes && message.length > 0)) {
        yield message;
        message = [];
        bytes = 0;
      }
      message.push(text);
      bytes += own;
    }
  }
  if (message.length > 0) yield message;
}

/** Of a short file, messages are so many: the first ones are predicted by a model that is new. */
const fewMessages = 50;
/** Smaller messages cost more than they bring, and larger ones come late. */
const [leastSize, mostSize] = [20, 500];

function usualSize(rows: number): number {
  return Math.min(mostSize, Math.max(leastSize, Math.ceil(rows / fewMessages)));
}

/** How many rows a file has; of many, as many as it takes to know {@link usualSize}. */
async function someRows(file: DatasetFile): Promise<number> {
  let rows = 0;
  for await (const { lines, bad } of readRows(file)) {
    rows += lines.length + bad.length;
    if (rows >= fewMessages * mostSize) break;
  }
  return rows;
}

/** How many samples the messages had when the content was sent before, if it was. */
function sizeBefore(ledger: Ledger, { producer }: SentContent): number | undefined {
  const name = [...ledger.producers.keys()].find((each) => each.startsWith(producer));
  if (name !== undefined) return Number(name.slice(producer.length));
  // (Of a producer that was evicted the ledger knows a hash.)
  const sizes = Array.from({ length: mostSize }, (_, i) => mostSize - i);
  return ledger.evicted.length === 0
    ? undefined
    : sizes.find((size) => wasEvicted(ledger, `${producer}${size}`));
}

/** The same content under another number of messages would be learnt a second time. */
function assertSameCut(size: number | undefined, own: number): void {
  if (size === undefined || size === own) return;
  throw invalid(
    `this content was sent already, ${size} samples a message; ` +
      `--per-message ${size} goes on with it, and learns nothing twice`,
  );
}

/**
 * Writes samples of a file as JSON, as they are sent. JSON has no dates: where a number stands,
 * they are seconds since 1970, as the encoder reads them.
 */
export function sampleWriter(spec: Spec): (sample: unknown) => string {
  const withDates = dateWriter(spec);
  return (sample) => {
    const dated = hasDate(sample) ? withDates(sample) : sample;
    try {
      return JSON.stringify(dated);
    } catch {
      // An integer of 64 bits; to look at each value for one would take twice as long.
      return JSON.stringify(dated, plainJson);
    }
  };
}

function hasDate(sample: unknown): boolean {
  const { features = {}, label } = sample as { features?: object; label?: unknown };
  if (label instanceof Date) return true;
  for (const cell of Object.values(features)) if (cell instanceof Date) return true;
  return false;
}

function dateWriter({ task, features }: Spec): (sample: unknown) => unknown {
  const number = (cell: unknown) => (cell instanceof Date ? cell.getTime() / 1_000 : cell);
  return (sample) => {
    const { features: own, label, ...rest } = sample as { features?: object; label?: unknown };
    const written = Object.entries(own ?? {}).map(([name, cell]) => [
      name,
      features[name]?.type === 'number' ? number(cell) : cell,
    ]);
    return {
      ...(own === undefined ? {} : { features: Object.fromEntries(written) }),
      label: task === 'regression' ? number(label) : label,
      ...rest,
    };
  };
}

/** Of a message, what its samples may take; the rest is for producer and number. */
const sampleBytes = limits.messageBytes - 1_024;

/** Of a file's content, and of how it is read: by another column of ids it is something else. */

function noneOf(rows: number): string {
  return rows === 1 ? 'not even the first row' : `none of the first ${rows} rows`;
}
