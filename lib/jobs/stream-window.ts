import { derive, deriveInOrder, withHistoryOf } from '../features/derived.ts';
import { emptyLags } from '../features/lags.ts';
import {
  concatSamples,
  type EncodedSamples,
  type Floats,
  type Layout,
  rowsWithin,
  sliceSamples,
} from '../features/samples.ts';
import type { FeatureStatistics } from '../features/statistics.ts';
import { exclusionsOf, samplesWithout } from '../fold/exclusions.ts';
import { allOf } from '../journal/entry.ts';
import { entriesBackFrom } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';
import { rowsInTime } from './evaluated-rows.ts';

/**
 * The latest samples of the journal up to a state that were not retracted, as many as there is time
 * to evaluate.
 */
export async function latestOfStream(
  ports: Ports,
  model: Model,
  state: State,
): Promise<EncodedSamples> {
  const { layout } = model.encoder;
  const parts = await latestMessages(ports, model, state);
  const latest = (all: EncodedSamples) =>
    sliceSamples(all, Math.max(0, all.count - rowsInTime(model)), all.count, layout);
  if (layout.lags) return latest(derivedByMessage(parts, layout, state));
  const window = concatSamples(parts, layout);
  // What columns say that are taken from earlier labels changes on the way through the window.
  const all = Array.from({ length: window.count }, (_, row) => row);
  return latest(deriveInOrder(layout, state.statistics).add(window, all));
}

/** The messages, or what entries have of them, with those samples, as they came. */
async function latestMessages(
  { store }: Ports,
  model: Model,
  state: State,
): Promise<readonly EncodedSamples[]> {
  const retracted = await exclusionsOf(store, state);
  const { layout } = model.encoder;
  const parts: EncodedSamples[] = [];
  const most = rowsWithin(Math.min(limits.streamWindowSamples, rowsInTime(model)), layout);
  let count = 0;
  for await (const entry of entriesBackFrom(store, model.name, state.sequence)) {
    if (count >= most) break;
    const messages = samplesWithout(entry, retracted);
    // Lags stand still for a whole message.
    const cut = layout.lags ? messages.toReversed() : [allOf(messages)];
    for (const message of cut) {
      const { samples } = model.encoder.encode(message);
      parts.push(samples);
      count += samples.count;
    }
  }
  return parts.reverse();
}

/** Of rows that are no stream's, some may be like those that came. */
const mostAlike = 0.1;

/** Whether some rows, as they came, are among the latest of the stream up to a state. */
export async function areOfStream(
  ports: Ports,
  model: Model,
  state: State,
  rows: EncodedSamples,
): Promise<boolean> {
  const columns = ownColumns(model.encoder.layout);
  // (Each of the stream can have been one of them.)
  const known = new Map<string, number>();
  for (const message of await latestMessages(ports, model, state))
    for (let row = 0; row < message.count; row++) {
      const content = contentOf(message, row, columns);
      known.set(content, (known.get(content) ?? 0) + 1);
    }
  let found = 0;
  for (let row = 0; row < rows.count; row++) {
    const content = contentOf(rows, row, columns);
    const left = known.get(content) ?? 0;
    if (left === 0) continue;
    known.set(content, left - 1);
    found += 1;
  }
  return found > mostAlike * rows.count;
}

/** Messages in which lags say what was settled before each, from the first of them on. */
function derivedByMessage(
  messages: readonly EncodedSamples[],
  layout: Layout,
  { statistics }: State,
): EncodedSamples {
  let known: FeatureStatistics = { ...statistics, lags: layout.lags?.map(emptyLags) ?? [] };
  const derived = messages.map((message) => {
    const own = derive(message, known, layout);
    known = withHistoryOf(known, message, layout);
    return own;
  });
  return { ...concatSamples(derived, layout), isDerived: true };
}

/** Columns of numbers that come with a row, and are not made of earlier ones. */
function ownColumns({ numberWidth, targets = [], lags = [] }: Layout): readonly number[] {
  const made = [
    ...targets.map(({ numberOffset, outputs }) => [numberOffset, outputs] as const),
    ...lags.map(
      ({ numberOffset, steps, outputs }) => [numberOffset, steps.length * outputs] as const,
    ),
  ];
  const isMade = (column: number) =>
    made.some(([first, width]) => first <= column && column < first + width);
  return Array.from({ length: numberWidth }, (_, column) => column).filter((each) => !isMade(each));
}

/** What a row holds, but for its weight; numbers as far as a file may have rounded them. */
function contentOf(
  { raw, categories, labels, count }: EncodedSamples,
  row: number,
  columns: readonly number[],
): string {
  const rowOf = (all: Floats | Int32Array) => {
    const width = all.length / count;
    return all.subarray(row * width, (row + 1) * width);
  };
  const numbers = rowOf(raw);
  const rounded = [...columns.map((column) => numbers[column] ?? 0), ...rowOf(labels)];
  return `${rounded.map((number) => number.toPrecision(toldDigits)).join()};${rowOf(categories).join()}`;
}

/** Digits in which a file has a number at least: float32 has seven. */
const toldDigits = 5;
