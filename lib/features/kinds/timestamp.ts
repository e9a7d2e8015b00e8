import { z } from 'zod';
import { cosineOfPi } from '../../arithmetic.ts';
import { show, strictObject } from '../../parse.ts';
import { accepted, refuse } from '../../refusal.ts';
import type { Cells } from '../cells.ts';
import { columnName, type FeatureBehaviour } from './kind.ts';

const [secondMs, dayMs] = [1_000, 86_400_000];

/** What can be said of a time: a phase between 0 and 1, or a number. */
const parts = {
  hour: (time: number) => fraction(time / dayMs),
  // (The first of January 1970 was a Thursday.)
  weekday: (time: number) => fraction((time / dayMs + 3) / 7),
  month: (time: number) => new Date(time).getUTCMonth() / 12,
  dayOfYear(time: number) {
    const year = new Date(time).getUTCFullYear();
    return (time - Date.UTC(year, 0)) / (Date.UTC(year + 1, 0) - Date.UTC(year, 0));
  },
} as const;
const cycles = ['hour', 'weekday', 'month', 'dayOfYear'] as const;

function fraction(value: number): number {
  return value - Math.floor(value);
}

/** A time: as points on the circles of its day, its week, its year; and what has passed. */
export const timestampSchema = strictObject({
  type: z.literal('timestamp'),
  parts: z
    .array(z.enum([...cycles, 'elapsed']))
    .min(1)
    .refine((names) => new Set(names).size === names.length, 'parts must be distinct')
    .default(['hour', 'weekday', 'dayOfYear'])
    .describe('what is learnt of it: two numbers of each cycle, and seconds as elapsed'),
  zone: z
    .string()
    .regex(/^[+-]\d\d:[0-5]\d$/, 'a zone is its distance from UTC, such as +01:00')
    .default('+00:00')
    .describe('the distance from UTC by which hours and days are told'),
  column: columnName.optional().describe("its column in datasets; the feature's name unless given"),
  missing: z
    .string()
    .optional()
    .describe('stands for a missing value; a sample without one is refused unless given'),
});

/** How a timestamp behaves: a cosine and a sine of each cycle, and a number of what has elapsed. */
export function timestampBehaviour(
  { parts: names, zone, missing }: z.output<typeof timestampSchema>,
  cells: Cells,
): FeatureBehaviour {
  const shift = offsetOf(zone);
  return {
    width: {
      numbers: names.reduce((sum, name) => sum + (name === 'elapsed' ? 1 : 2), 0),
      categories: 0,
    },
    isStandardized: true,
    missing,
    writer({ numberOffset, row: { numbers } }) {
      return (cell, into, row) => {
        const time = timeOf(cell, cells);
        if (time === undefined) {
          const reason = `must be a time, as ISO 8601 or seconds since 1970 (found ${show(cell)})`;
          return refuse('wrong-type', reason);
        }
        let place = row * numbers + numberOffset;
        for (const name of names) {
          if (name === 'elapsed') into.raw[place++] = time / secondMs;
          else {
            const phase = parts[name](time + shift);
            into.raw[place++] = cosineOfTurn(phase);
            into.raw[place++] = cosineOfTurn(fraction(phase + 0.75));
          }
        }
        return accepted;
      };
    },
    readCell: (cell) => cell,
    input: { kind: 'numbers' },
  };
}

/** cos 2πx of a phase from 0 to 1. */
function cosineOfTurn(phase: number): number {
  return cosineOfPi(phase <= 0.5 ? 2 * phase : 2 - 2 * phase);
}

/** Milliseconds between a zone and UTC. */
function offsetOf(zone: string): number {
  const [hours = 0, minutes = 0] = zone.slice(1).split(':').map(Number);
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60 * secondMs;
}

/** Dates with an optional time of day; without a zone they are of UTC. */
const isoTime =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)? ?(Z|[+-]\d\d:?\d\d)?$/i;

/** Milliseconds since 1970; undefined of what is no time. */
function timeOf(cell: unknown, cells: Cells): number | undefined {
  if (cell instanceof Date) return inRange(cell.getTime());
  const seconds = cells.number(cell);
  if (seconds !== undefined)
    return typeof cell === 'boolean' ? undefined : inRange(seconds * secondMs);
  const found = typeof cell === 'string' ? isoTime.exec(cell.trim()) : null;
  if (found === null) return undefined;
  const number = (group: number) => Number(found[group] ?? 0);
  const [year, month, day] = [number(1), number(2), number(3)];
  const [hour, minute, second] = [number(4), number(5), number(6)];
  const date = Date.UTC(year, month - 1, day);
  const isDay = new Date(date).getUTCMonth() === month - 1 && month > 0 && day > 0;
  if (!isDay || hour > 23 || minute > 59 || second > 60) return undefined;
  const ofDay = (hour * 3_600 + minute * 60 + second + Number(`0.${found[7] ?? 0}`)) * secondMs;
  const zone = found[8] === undefined || /^z$/i.test(found[8]) ? '+00:00' : withColon(found[8]);
  return inRange(date + ofDay - offsetOf(zone));
}

function withColon(zone: string): string {
  return zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
}

/** Years that a calendar here knows. */
function inRange(time: number): number | undefined {
  return Math.abs(time) <= 8.64e15 ? time : undefined;
}
