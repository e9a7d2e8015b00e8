import * as z from 'zod';
import { cosineOfPi } from '../../arithmetic.ts';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import { type Cells, cellsOf, cellsSchema } from '../cells.ts';
import { indicatorSchema } from './indicator.ts';
import { columnName, type FeatureBehaviour, unknownMean } from './kind.ts';

const [secondMs, dayMs] = [1_000, 86_400_000];

/** What can be said of a time: a phase between 0 and 1, or a number. */
const parts = {
  hour: (time: number) => phase(time, dayMs),
  // (The first of January 1970 was a Thursday.)
  weekday: (time: number) => phase(time + 3 * dayMs, 7 * dayMs),
  month: (time: number) => new Date(time).getUTCMonth() / 12,
  dayOfYear(time: number) {
    const { from, to } = yearOf(time);
    return (time - from) / (to - from);
  },
} as const;
const cycles = ['hour', 'weekday', 'month', 'dayOfYear'] as const;

/** How much of a period has passed, from 0 to below 1. */
function phase(time: number, period: number): number {
  const rest = time % period;
  return (rest < 0 ? rest + period : rest) / period;
}

type Year = { readonly from: number; readonly to: number };

/** Times come one after another: most are of the year of the one before. */
let lastYear: Year = { from: 0, to: 0 };

function yearOf(time: number): Year {
  if (time >= lastYear.from && time < lastYear.to) return lastYear;
  // (A date drops the part of a millisecond: before 1970 that would be towards the next one.)
  const year = new Date(Math.floor(time)).getUTCFullYear();
  lastYear = { from: utc(year), to: utc(year + 1) };
  return lastYear;
}

/** The beginning of a day. (`Date.UTC` takes the years 0 to 99 for those of the last century.) */
function utc(year: number, month = 0, day = 1): number {
  return new Date(0).setUTCFullYear(year, month, day);
}

/** Distances from UTC that there are. */
const zones = /^[+-](0\d|1[0-4]):[0-5]\d$/;

const mostTurns = 12;
const turns = z.int().min(1).max(mostTurns).optional();

/** A time: as points on the circles of its day, its week, its year; and what has passed. */
export const timestampSchema = strictObject({
  type: z.literal('timestamp'),
  parts: z
    .array(z.enum([...cycles, 'elapsed']))
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'parts must be distinct')
    .default(['hour', 'weekday', 'dayOfYear'])
    .describe(
      'what is learnt of it: two numbers of each cycle and harmonic, and seconds as elapsed',
    ),
  harmonics: strictObject({
    hour: turns.describe('of a day'),
    weekday: turns.describe('of a week'),
    month: turns.describe('of a year, by its months'),
    dayOfYear: turns.describe('of a year, by its days'),
  })
    .optional()
    .describe(
      'how often the points go round while their part does once, from 1 to this: with 3 rush hours ' +
        'are told apart; 1 unless given',
    ),
  zone: z
    .string()
    .regex(zones, 'a zone is its distance from UTC, such as +01:00')
    .default('+00:00')
    .describe('the distance from UTC by which hours and days are told'),
  unit: z
    .enum(['s', 'ms'])
    .optional()
    .describe('what a number counts since 1970: seconds, or milliseconds; `s` unless given'),
  standardize: z
    .boolean()
    .optional()
    .describe(
      'its numbers by their running mean and variance; true unless given, but for a network from ' +
        'elsewhere',
    ),
  column: columnName.optional().describe("its column in datasets; the feature's name unless given"),
  missing: z
    .string()
    .optional()
    .describe(
      'stands for a missing value, `mean` for the means so far of its numbers and, unless indicator ' +
        'is false, one more that says so; a sample without one is refused unless given',
    ),
  indicator: indicatorSchema,
})
  .refine(
    ({ missing, unit }) =>
      missing === undefined ||
      missing === 'mean' ||
      timeOf(missing, cellsOf(cellsSchema.parse({})), unit) !== undefined,
    { path: ['missing'], error: 'must be a time, or mean' },
  )
  .refine(
    ({ parts: names, harmonics = {} }) =>
      cycles.every((cycle) => harmonics[cycle] === undefined || names.includes(cycle)),
    { path: ['harmonics'], error: 'must be of parts that are learnt' },
  );

/** How often a point goes round; of a spec that is wrong about it, as often as it may. */
function turnsOf(turns = 1): number {
  return Number.isFinite(turns) ? Math.floor(Math.min(Math.max(turns, 1), mostTurns)) : 1;
}

/** What numbers count since 1970. */
export type TimeUnit = 's' | 'ms';

/** What a cell of times must be. */
export function timeRule(unit: TimeUnit = 's'): string {
  const numbers = unit === 's' ? 'seconds (not milliseconds)' : 'milliseconds (not seconds)';
  return `must be a time of the years 2 to 9998, as ISO 8601 or ${numbers} since 1970`;
}

type Timestamp = z.output<typeof timestampSchema>;

/**
 * How a timestamp behaves: a cosine and a sine of each harmonic of each cycle, and a number of what
 * has elapsed.
 */
export function timestampBehaviour(
  { parts: names, harmonics = {}, zone, unit, standardize, missing }: Timestamp,
  cells: Cells,
): FeatureBehaviour {
  const circular = names.flatMap((name) =>
    name === 'elapsed' ? [false] : Array(2 * turnsOf(harmonics[name])).fill(true),
  );
  const width = circular.length;
  const fillsMean = missing === 'mean';
  const shift = offsetOf(zone);
  return {
    width: { numbers: width, categories: 0 },
    isStandardized: standardize !== false,
    circular,
    missing: fillsMean ? unknownMean : missing,
    asSource: (cell) => (cell === unknownMean ? 'missing' : cell),
    ...(fillsMean ? { nullableColumns: width } : {}),
    writer({ numberOffset, row: { numbers } }) {
      return (cell, into, row) => {
        const start = row * numbers + numberOffset;
        if (cell === unknownMean) {
          into.raw.fill(Number.NaN, start, start + width);
          return accepted;
        }
        const time = timeOf(cell, cells, unit);
        if (time === undefined) {
          return refuse('wrong-type', `${timeRule(unit)} (found ${show(cell)})`);
        }
        let place = start;
        for (const name of names) {
          if (name === 'elapsed') into.raw[place++] = time / secondMs;
          else {
            const turn = parts[name](time + shift);
            for (let harmonic = 1; harmonic <= turnsOf(harmonics[name]); harmonic++) {
              into.raw[place++] = cosineOfTurn(phase(harmonic * turn, 1));
              into.raw[place++] = cosineOfTurn(phase(harmonic * turn + 0.75, 1));
            }
          }
        }
        return accepted;
      };
    },
    readCell: (cell) => cell,
    input: { kind: 'numbers' },
  };
}

/** cos 2πx of x from 0 to 1. */
function cosineOfTurn(turn: number): number {
  return cosineOfPi(turn <= 0.5 ? 2 * turn : 2 - 2 * turn);
}

/** Milliseconds between a zone and UTC. */
export function offsetOf(zone: string): number {
  const [hours = 0, minutes = 0] = zone.slice(1).split(':').map(Number);
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60 * secondMs;
}

/**
 * Dates with an optional time of day, as ISO 8601 and as people write it: without zeros in front,
 * of twelve hours. Without a zone they are of UTC.
 */
const date = String.raw`(\d{4})[-/](\d\d?)[-/](\d\d?)`;
const timeOfDay = String.raw`[T ](\d\d?):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)? ?([AP]M)?`;
const isoTime = new RegExp(`^${date}(?:${timeOfDay})? ?(Z|[+-]\\d\\d:?\\d\\d)?$`, 'i');

/** Milliseconds since 1970; undefined of what is no time. */
export function timeOf(cell: unknown, cells: Cells, unit: TimeUnit = 's'): number | undefined {
  if (cell instanceof Date) return inRange(cell.getTime());
  const isWord = typeof cell === 'string' && /^(true|false)$/i.test(cell.trim());
  const number = isWord || typeof cell === 'boolean' ? undefined : cells.number(cell);
  if (number !== undefined) return inRange(unit === 's' ? number * secondMs : number);
  const found = typeof cell === 'string' ? isoTime.exec(cell.trim()) : null;
  if (found === null) return undefined;
  const part = (group: number) => Number(found[group] ?? 0);
  const [year, month, day] = [part(1), part(2), part(3)];
  const [hour, minute, second] = [hourOf(part(4), found[8]), part(5), part(6)];
  const midnight = utc(year, month - 1, day);
  const isDay = new Date(midnight).getUTCMonth() === month - 1 && month > 0 && day > 0;
  if (!isDay || !(hour <= 23) || minute > 59 || second > 60) return undefined;
  const ofDay = (hour * 3_600 + minute * 60 + second + Number(`0.${found[7] ?? 0}`)) * secondMs;
  const zone = found[9] === undefined || /^z$/i.test(found[9]) ? '+00:00' : withColon(found[9]);
  if (!zones.test(zone)) return undefined;
  return inRange(midnight + ofDay - offsetOf(zone));
}

/** An hour of the day; of the half before or behind noon, if that is said: NaN if it has none. */
function hourOf(hour: number, half: string | undefined): number {
  if (half === undefined) return hour;
  if (hour < 1 || hour > 12) return Number.NaN;
  return (hour % 12) + (half.toUpperCase() === 'PM' ? 12 : 0);
}

function withColon(zone: string): string {
  return zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
}

const [beforeAll, behindAll] = [utc(1) + dayMs, utc(10_000) - dayMs];

/** Times of the years 1 to 9999, wherever they are told. */
function inRange(time: number): number | undefined {
  return time > beforeAll && time < behindAll ? time : undefined;
}
