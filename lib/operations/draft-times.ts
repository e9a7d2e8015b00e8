import { cellsOf, cellsSchema } from '../features/cells.ts';
import { offsetOf, type TimeUnit, timeOf } from '../features/kinds/timestamp.ts';
import type { Task } from '../features/task.ts';
import { listNames } from '../parse.ts';
import type { SpecInput } from '../spec/spec.ts';
import { type Column, plainValuesOf } from './column-profile.ts';
import { learntAsMean, standInFor } from './draft-missing.ts';

const cells = cellsOf(cellsSchema.parse({}));

/** A column of times has some that are written as such, beside seconds since 1970. */
const [someWritten, mostlyTimes] = [0.05, 0.9];

/** Whether most values of a column are times, or all are numbers that its name says are times. */
export function isTime(column: Column): boolean {
  const written = column.dates + column.dateTexts;
  if (written > 0.5 * column.present || unitOf(column) !== undefined) return true;
  if (written <= someWritten * column.present) return false;
  return written + countSeconds(column) > mostlyTimes * column.present;
}

/** Whether a number may be the seconds from 1970 to a time of this century. */
function isSeconds(number: number): boolean {
  return number >= 1e9 && number < 2.2e9;
}

/** How many of a column's values are numbers that may be seconds since 1970. */
function countSeconds({ values }: Column): number {
  let seconds = 0;
  for (const [text, times] of values)
    if (isSeconds(cells.number(text) ?? Number.NaN)) seconds += times;
  return seconds;
}

/** What names of columns end with whose numbers are times, if they can be. */
const timeWords =
  /^(ts|t|at|date|when|epoch|created|updated|timestamp|(unix|event|start|end|order|date)?time)$/;
/** What may stand behind it. */
const behindTime = new Set(['s', 'ms', 'sec', 'millis', 'utc', 'gmt']);

/** Whether a column is called as times are: `ts`, `created_at`, `eventTime`, `timestamp_ms`. */
function isCalledTime(name: string): boolean {
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '');
  const last = words.findLast((word) => !behindTime.has(word));
  return last !== undefined && timeWords.test(last);
}

/** Of the numbers of a file in order of time, so many are no less than the one before. */
const mostlyAscending = 0.9;

/**
 * What the numbers of a column count since 1970, if they look like times, are called so, and go up
 * from row to row as those of a stream do: amounts and ids would be lost as times.
 */
function unitOf(column: Column): TimeUnit | undefined {
  if (column.numbers < column.present || !isCalledTime(column.name)) return undefined;
  const unit = areTimes(column, 1) ? 's' : areTimes(column, 1_000) ? 'ms' : undefined;
  if (unit === undefined) return undefined;
  // (Distinct values come in the order of their rows.)
  const numbers = plainValuesOf(column).map(Number);
  const ups = numbers.filter((number, i) => i === 0 || number >= (numbers[i - 1] ?? 0)).length;
  return ups >= mostlyAscending * numbers.length ? unit : undefined;
}

/** The times of a column, in milliseconds. */
function timesOf(column: Column, unit: TimeUnit | undefined): readonly number[] {
  const texts = unit === undefined ? [...column.values.keys()] : plainValuesOf(column);
  return texts.flatMap((text) => timeOf(text, cells, unit) ?? []);
}

/** A time: by its days, and its hours where it has some. */
export function timestampOf(
  column: Column,
  doubts: string[],
  task: Task,
): SpecInput['features'][string] {
  const { name, missing } = column;
  const unit = unitOf(column);
  const zones = zonesOf(column);
  const [zone = utc] = zones;
  const times = timesOf(column, unit).map((time) => time + offsetOf(zone));
  const parts = partsOf(column, times, { task, isCounted: unit !== undefined });
  if (missing > 0) doubts.push(learntAsMean(name, missing));
  doubts.push(
    `${name} is a time${unit === undefined ? '' : `, in ${units[unit]} since 1970`}: it is learnt ` +
      `as ${listNames(parts.map(meaningOf))}, of ${zone === utc ? 'UTC' : zone}` +
      othersText(column, unit) +
      (unit === undefined ? '' : '; if they are amounts, write {"type": "number"}'),
  );
  if (zones.length > 1)
    doubts.push(
      `${name}: its times are written by clocks that differ (${listNames(zones)}), as of summer ` +
        `and winter; they are learnt by that of ${zone}, as if it stood all year`,
    );
  const harmonics = {
    ...(parts.includes('hour') && { hour: 3 }),
    // (Three tell any seven days apart.)
    ...(parts.includes('weekday') && { weekday: 3 }),
  };
  return {
    type: 'timestamp',
    ...(unit === 'ms' && { unit }),
    ...(parts.join() === 'hour,weekday,dayOfYear' ? {} : { parts }),
    ...(Object.keys(harmonics).length > 0 && { harmonics }),
    ...(zone !== utc && { zone }),
    ...standInFor(missing),
  };
}

/** What becomes of values that are not written as times. */
function othersText(column: Column, unit: TimeUnit | undefined): string {
  if (unit !== undefined) return '';
  let [numbers, odd, none] = [0, 0, column.longTexts + column.objects];
  for (const [text, times] of column.values) {
    const number = cells.number(text);
    if (timeOf(text, cells) === undefined) none += times;
    else if (number !== undefined) {
      numbers += times;
      if (!isSeconds(number)) odd += times;
    }
  }
  const areOdd = odd > 0 ? `, though ${odd} of them are hardly such` : '';
  return (
    (numbers > 0
      ? `; ${numbers} values are numbers, and learnt as seconds since 1970${areOdd}`
      : '') + (none > 0 ? `; ${none} values are none, and such rows are refused` : '')
  );
}

const dayMs = 86_400_000;

/** The distances from UTC that times have, the commonest first; none unless each has one. */
function zonesOf({ values }: Column): readonly string[] {
  const counts = new Map<string, number>();
  for (const [text, often] of values) {
    if (timeOf(text, cells) === undefined) continue;
    const [, hours, minutes] = /:\d\d(?:\.\d+)? ?([+-]\d\d):?(\d\d)$/.exec(text.trim()) ?? [];
    if (hours === undefined) return [];
    const zone = `${hours}:${minutes}`.replace('-00:00', utc);
    counts.set(zone, (counts.get(zone) ?? 0) + often);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([zone]) => zone);
}

const utc = '+00:00';
const units = { s: 'seconds', ms: 'milliseconds' } as const;
const midnight = /^\s*\d{4}-\d\d-\d\d(\s*|[T ]00:00(:00(\.0+)?)? ?([+-]\d\d:?\d\d|Z)?\s*)$/i;

/** Times of fewer days know no seasons. */
const yearDays = 300;

/**
 * What there is to learn of times: their cycles, and what has elapsed. Numbers have trends, which a
 * day of the year alone stands for within a year, and turns round at its end. Of classes it would
 * say by then when they came, and nothing of what comes.
 */
function partsOf(
  { values, dates, timeTexts }: Column,
  times: readonly number[],
  { task, isCounted }: { readonly task: Task; readonly isCounted: boolean },
) {
  const least = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = times.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const daysOfYear = new Set(times.map((time) => new Date(time).toISOString().slice(5, 10)));
  const daysOfMonth = new Set([...daysOfYear].map((day) => day.slice(3)));
  const isYearly = daysOfYear.size === 1 && most - least > 360 * dayMs;
  const isMonthly = daysOfMonth.size === 1 && most - least > 27 * dayMs;
  const hasSeasons = task === 'regression' || most - least >= yearDays * dayMs;
  const leastDays = task === 'regression' ? 28 : 730;
  const hasHours =
    (isCounted || dates > 0 || timeTexts > 0) &&
    times.some((time) => time % dayMs !== 0) &&
    // (Those of days in summer and winter differ by an hour, and say nothing by it.)
    (isCounted ||
      [...values.keys()].some((text) => timeOf(text, cells) !== undefined && !midnight.test(text)));
  // (What is of no cycle is better learnt by its season than not at all.)
  const isOfSeason = hasSeasons || (isMonthly && !hasHours);
  return [
    ...(hasHours ? (['hour'] as const) : []),
    ...(isMonthly ? [] : (['weekday'] as const)),
    ...(isYearly || !isOfSeason ? [] : (['dayOfYear'] as const)),
    // (Whose column was a number would lose what that says.)
    ...(isCounted || isYearly || most - least >= leastDays * dayMs ? (['elapsed'] as const) : []),
  ];
}

function meaningOf(part: ReturnType<typeof partsOf>[number]): string {
  return part === 'elapsed' ? 'how much time has passed' : part;
}

/** How numbers that may be times could be learnt as such. */
export function timeDoubts(column: Column): readonly string[] {
  const { name, values } = column;
  if (areDays(values.keys()))
    return [`${name} may be days as 20240131; as 2024-01-31 they can be learnt as times`];
  if (areTimes(column, 1))
    return [
      `${name} may be seconds since 1970; as {"type": "timestamp"} their hour, weekday and day ` +
        'of the year are learnt',
    ];
  if (areTimes(column, 1_000))
    return [
      `${name} may be milliseconds since 1970; as {"type": "timestamp", "unit": "ms"} their hour, ` +
        'weekday and day of the year are learnt',
    ];
  return [];
}

/** Whether numbers are days, written as eight digits. */
function areDays(numbers: Iterable<string>): boolean {
  const day = /^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$/;
  return [...numbers].every((number) => day.test(number));
}

/** Whether whole numbers are times of this century, as so many of a second since 1970. */
function areTimes(column: Column, partsOfSecond: number): boolean {
  const { whole, present } = column;
  return (
    whole === present &&
    plainValuesOf(column).every((text) => isSeconds(Number(text) / partsOfSecond))
  );
}
