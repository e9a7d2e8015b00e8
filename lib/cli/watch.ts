import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import {
  describeModel,
  type EntrySummary,
  type ModelDescription,
} from '../operations/describe-model.ts';
import { count, type Io } from './io.ts';
import { figure } from './models.ts';
import { formatCount, formatSeconds } from './progress.ts';

/** How a model is watched. */
export type WatchOptions = {
  /** Stops after so many; until Ctrl-C unless given. */
  readonly seconds?: number | undefined;
  /** Where a picture is drawn over the last one; elsewhere each entry is a line. */
  readonly screen?: NodeJS.WriteStream | undefined;
  readonly signal: AbortSignal;
};

/** Entries that a picture shows. */
const shownEntries = 48;
const intervalMilliseconds = 1_000;

/** Shows how a model learns, live: its losses beside the baseline, its rate, jobs, refusals. */
export async function watch(
  { ports, print, result }: Io,
  name: string,
  { seconds = Number.POSITIVE_INFINITY, screen, signal }: WatchOptions,
): Promise<number> {
  const started = ports.now();
  let seen: number | undefined;
  let drawn = 0;
  for (;;) {
    const model = await describeModel(ports, name, shownEntries);
    // What was there before is history, but for the last.
    const after = seen ?? model.sequence - 1;
    const news = model.entries.filter(({ sequence }) => sequence > after).toReversed();
    seen = model.sequence;
    for (const entry of news) {
      result(entry);
      if (screen === undefined) print(lineOf(name, entry));
    }
    if (screen !== undefined) {
      const lines = pictureOf(model, ports.now()).map((line) => cut(line, screen.columns || 80));
      const back = drawn > 0 ? `\u001b[${drawn}A` : '';
      screen.write(`${back}${lines.map((line) => `\u001b[2K${line}\n`).join('')}`);
      drawn = lines.length;
    }
    if (signal.aborted || ports.now() - started >= seconds * 1_000) return 0;
    await delay(intervalMilliseconds, undefined, { signal }).catch(() => undefined);
  }
}

function lineOf(name: string, { sequence, kind, samples, refused, loss }: EntrySummary): string {
  const said = refused === 0 ? '' : `, ${formatCount(refused)} refused`;
  return `${name}: entry ${sequence}  ${kind}  ${count(samples, 'sample')}${said}  loss ${figure(loss)}`;
}

/** A model as it is now, in some lines. */
function pictureOf(model: ModelDescription, now: number): readonly string[] {
  const { sequence, time, learnt, stream, entries, jobs } = model;
  const age = time === undefined ? '–' : `${formatSeconds((now - Date.parse(time)) / 1_000)} ago`;
  const refused = entries.reduce((sum, entry) => sum + entry.refused, 0);
  const running = jobs.filter(({ status }) => status === 'training' || status === 'catching-up');
  const work = running.map(({ job, status, epoch }) => `${job}: ${status}, epoch ${epoch}`);
  return [
    `${model.model}  entry ${sequence}, ${age}  ${count(learnt, 'sample')} learnt  ${rateOf(entries)}`,
    `  loss      ${sparkline(entries.map(({ loss }) => loss).reverse())}  ${figure(entries[0]?.loss)} now`,
    `  so far    ${figure(stream?.loss)} (the labels alone: ${figure(stream?.baselineLoss)})`,
    `  refused   ${formatCount(refused)} of the last ${count(entries.length, 'entry', 'entries')}`,
    `  job       ${work.length === 0 ? 'none runs' : work.join('; ')}`,
  ];
}

/** Samples a second over the entries that are shown. */
function rateOf(entries: readonly EntrySummary[]): string {
  const [newest, oldest] = [entries[0], entries.at(-1)];
  if (newest === undefined || oldest === undefined || newest === oldest) return '';
  const seconds = (Date.parse(newest.time) - Date.parse(oldest.time)) / 1_000;
  const samples = entries.slice(0, -1).reduce((sum, entry) => sum + entry.samples, 0);
  return `${formatCount(samples / Math.max(seconds, 0.001))} samples/s`;
}

const blocks = '▁▂▃▄▅▆▇█';

/** Values as a line of blocks, from the lowest to the highest of them; a space for none. */
export function sparkline(values: readonly (number | undefined)[]): string {
  const known = values.flatMap((value = Number.NaN) => (Number.isFinite(value) ? [value] : []));
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return values
    .map((value) => {
      if (value === undefined || !Number.isFinite(value)) return ' ';
      const share = most > least ? (value - least) / (most - least) : 0;
      return blocks[Math.min(blocks.length - 1, Math.floor(share * blocks.length))] ?? ' ';
    })
    .join('');
}

function cut(line: string, columns: number): string {
  return stripVTControlCharacters(line).length > columns ? `${line.slice(0, columns - 1)}…` : line;
}
