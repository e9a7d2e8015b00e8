import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import * as z from 'zod';
import {
  describeModel,
  type EntrySummary,
  type ModelDescription,
} from '../operations/describe-model.ts';
import { inOneLine, jsonIfAny } from '../parse.ts';
import { count, type Io } from './io.ts';
import { figure, formatCount, formatSeconds, sparkline } from './progress.ts';

/** How a model is watched. */
export type WatchOptions = {
  /** Stops after so many; until Ctrl-C unless given. */
  readonly seconds?: number | undefined;
  /** Where a picture is drawn over the last one; elsewhere each entry is a line. */
  readonly screen?: NodeJS.WriteStream | undefined;
  /** What the functions logged since a time; absent where nobody knows their log groups. */
  readonly logs?: ((since: number) => Promise<readonly string[]>) | undefined;
  readonly signal: AbortSignal;
};

/** Entries that a picture shows. */
const shownEntries = 48;
const intervalMilliseconds = 1_000;

/** Shows how a model learns, live: its losses beside the baseline, its rate, jobs, refusals. */
export async function watch(
  { ports, print, result }: Io,
  name: string,
  { seconds = Number.POSITIVE_INFINITY, screen, logs, signal }: WatchOptions,
): Promise<number> {
  const started = ports.now();
  const heard = hearing(name, logs, started);
  let seen: number | undefined;
  let drawn = 0;
  for (;;) {
    const model = await describeModel(ports, name, shownEntries);
    // What was there before is history, but for the last, which is shown and no news.
    const after = seen ?? model.sequence - 1;
    const missed = model.sequence - after;
    const { entries } =
      missed > shownEntries ? await describeModel(ports, name, missed + shownEntries) : model;
    const news = entries.filter(({ sequence }) => sequence > after).toReversed();
    const isFirst = seen === undefined;
    seen = Math.max(model.sequence, ...news.map(({ sequence }) => sequence));
    for (const entry of news) {
      if (!isFirst) result(entry);
      if (screen === undefined) print(lineOf(name, entry));
    }
    if (screen !== undefined) {
      await heard.listen(ports.now());
      const lines = pictureOf(model, heard, ports.now()).map((line) =>
        cut(line, screen.columns || 80),
      );
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

/** What the functions' logs say of a model. */
type Heard = {
  /** Milliseconds from sent to learnt of the last delivery. */
  lag?: number | undefined;
  readonly problems: string[];
  isHeard: boolean;
};

const loggedSchema = z.looseObject({
  message: z.string(),
  level: z.string(),
  model: z.string(),
  lagMilliseconds: z.number().optional(),
  reason: z.string().optional(),
});

/** Milliseconds between two looks into the logs. */
const listeningMilliseconds = 5_000;

function hearing(model: string, logs: WatchOptions['logs'], started: number) {
  const heard: Heard = { problems: [], isHeard: false };
  let [since, next] = [started, started];
  const listen = async (now: number) => {
    if (logs === undefined || now < next) return;
    next = now + listeningMilliseconds;
    const lines = await logs(since).catch(() => undefined);
    if (lines === undefined) return;
    since = now;
    heard.isHeard = true;
    for (const line of lines) {
      const logged = loggedSchema.safeParse(jsonIfAny(line)).data;
      if (logged?.model !== model) continue;
      if (logged.lagMilliseconds !== undefined) heard.lag = logged.lagMilliseconds;
      if (logged.level === 'ERROR') heard.problems.push(inOneLine(logged.reason ?? logged.message));
    }
  };
  return Object.assign(heard, { listen });
}

const runningStatuses: ReadonlySet<string> = new Set(['preparing', 'training', 'catching-up']);

/** A model as it is now, in some lines. */
function pictureOf(model: ModelDescription, heard: Heard, now: number): readonly string[] {
  const { sequence, time, learnt, stream, entries, jobs } = model;
  const age = time === undefined ? '–' : `${formatSeconds((now - Date.parse(time)) / 1_000)} ago`;
  const refused = entries.reduce((sum, entry) => sum + entry.refused, 0);
  const running = jobs.filter(({ status }) => runningStatuses.has(status));
  const work = running.map(({ job, status, epoch, rows }) =>
    status === 'preparing'
      ? `${job}: preparing, ${count(rows, 'row')}`
      : `${job}: ${status}, epoch ${epoch}`,
  );
  return [
    `${model.model}  entry ${sequence}, ${age}  ${count(learnt, 'sample')} learnt  ${rateOf(entries, now)}`,
    `  loss      ${sparkline(entries.map(({ loss }) => loss).reverse())}  ${figure(entries[0]?.loss)} now`,
    `  so far    ${figure(stream?.loss)} (the labels alone: ${figure(stream?.baselineLoss)})`,
    `  refused   ${count(refused, 'sample')} in the last ${count(entries.length, 'entry', 'entries')}`,
    ...heardLines(heard),
    `  job       ${work.length === 0 ? 'none runs' : work.join('; ')}`,
  ];
}

function heardLines({ isHeard, lag, problems }: Heard): readonly string[] {
  if (!isHeard) return [];
  const last = problems.at(-1);
  return [
    `  lag       ${lag === undefined ? '–' : `${formatCount(lag)} ms from sent to learnt`}`,
    `  errors    ${last === undefined ? 'none' : `${formatCount(problems.length)}, the last: ${last}`}`,
  ];
}

/** Seconds over which a rate is taken. */
const rateSeconds = 10;

/** Samples a second of the last seconds, or since the oldest entry that is shown. */
function rateOf(entries: readonly EntrySummary[], now: number): string {
  const ageOf = ({ time }: EntrySummary) => (now - Date.parse(time)) / 1_000;
  const recent = entries.filter((entry) => ageOf(entry) <= rateSeconds);
  const oldest = recent.length === entries.length ? recent.at(-1) : undefined;
  const seconds = oldest === undefined ? rateSeconds : Math.max(ageOf(oldest), 1);
  const samples = recent.reduce((sum, entry) => sum + entry.samples, 0);
  return `${formatCount(samples / seconds)} samples/s`;
}

function cut(line: string, columns: number): string {
  return stripVTControlCharacters(line).length > columns ? `${line.slice(0, columns - 1)}…` : line;
}
