import * as z from 'zod';

/** What may stand in one field of `cron(…)`, in the order of the fields. */
const cronFields = [
  { name: 'minutes', least: 0, most: 59, names: [] },
  { name: 'hours', least: 0, most: 23, names: [] },
  { name: 'day of month', least: 1, most: 31, names: [] },
  {
    name: 'month',
    least: 1,
    most: 12,
    names: namesOf('JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'),
  },
  { name: 'day of week', least: 1, most: 7, names: namesOf('SUN MON TUE WED THU FRI SAT') },
  { name: 'year', least: 1970, most: 2199, names: [] },
] as const;

function namesOf(text: string): readonly string[] {
  return text.split(' ');
}

/**
 * An expression of EventBridge Scheduler: `rate(1 day)`, or `cron(0 3 * * ? *)` in UTC. What AWS
 * would refuse when it is deployed is refused when it is synthesized.
 */
export const scheduleExpression = z.string().superRefine((text, context) => {
  const problem = problemOf(text);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

function problemOf(text: string): string | undefined {
  const [, kind, argument = ''] = /^(rate|cron)\((.*)\)$/.exec(text) ?? [];
  if (kind === 'rate') return problemOfRate(argument);
  if (kind === 'cron') return problemOfCron(argument);
  return 'must be rate(1 day) or cron(0 3 * * ? *), or the like';
}

function problemOfRate(rate: string): string | undefined {
  const [, count, plural] = /^([1-9]\d{0,4}) (?:minute|hour|day)(s?)$/.exec(rate) ?? [];
  if (count === undefined)
    return 'rate(…) must be a count of minutes, hours or days: rate(2 hours)';
  return (count === '1') === (plural === '')
    ? undefined
    : 'rate(…) takes minute, hour or day after 1, else minutes, hours or days';
}

function problemOfCron(cron: string): string | undefined {
  const texts = cron.split(' ');
  if (texts.length !== cronFields.length) {
    const names = cronFields.map(({ name }) => name).join(', ');
    return `cron(…) takes ${cronFields.length} fields (${names}), found ${texts.length}`;
  }
  const wrong = cronFields.findIndex((field, i) => !isCronField(field, texts[i] ?? ''));
  if (wrong >= 0) return `cron(…): ${cronFields[wrong]?.name} cannot be ${texts[wrong]}`;
  if ((texts[2] === '?') === (texts[4] === '?'))
    return 'cron(…): one of day of month and day of week must be ?, and the other not';
  return hasSomeDay(texts) ? undefined : 'cron(…): there is no such day in any of its months';
}

/** Whether a day comes in any of its months and years, as the 30th of February does not. */
function hasSomeDay([, , days = '', months = '', , years = '']: readonly string[]): boolean {
  if (/[?*LW]/.test(days)) return true;
  const [ofMonth, ofYear, year] = [cronFields[2], cronFields[3], cronFields[5]];
  const least = Math.min(...valuesOf(ofMonth, days));
  return valuesOf(year, years).some((inYear) =>
    valuesOf(ofYear, months).some(
      (month) => least <= new Date(Date.UTC(inYear, month, 0)).getUTCDate(),
    ),
  );
}

/** The values that a field names. */
function valuesOf(field: (typeof cronFields)[number], text: string): readonly number[] {
  const { least, most } = field;
  return text.split(',').flatMap((part) => {
    const [range = '', step = '1'] = part.split('/');
    const [from = least, to = part === range ? from : most] =
      range === '*' ? [least, most] : range.split('-').map((value) => placeIn(field, value));
    const count = Math.floor((to - from) / Number(step)) + 1;
    return Array.from({ length: count }, (_, i) => from + i * Number(step));
  });
}

/** The number of a value of a field, which may have a name; NaN if it cannot be one. */
function placeIn({ least, most, names }: (typeof cronFields)[number], value: string): number {
  const named = names.findIndex((each: string) => each === value.toUpperCase());
  const number = named >= 0 ? named + 1 : /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return number >= least && number <= most ? number : Number.NaN;
}

function isCronField(field: (typeof cronFields)[number], text: string): boolean {
  const { name, least } = field;
  const isDay = name.startsWith('day');
  if (text === '*') return true;
  if (isDay && (text === '?' || text === 'L')) return true;
  const place = (value: string) => placeIn(field, value);
  if (name === 'day of month' && /^\d+W$/.test(text)) return place(text.slice(0, -1)) > 0;
  if (name === 'day of week' && /^\w+(L|#[1-5])$/.test(text))
    return place(text.replace(/(L|#[1-5])$/, '')) > 0;
  return text.split(',').every((part) => {
    const [, range = '', step] = /^([^/]+)(?:\/([1-9]\d*))?$/.exec(part) ?? [];
    const ends = range === '*' && step !== undefined ? [least] : range.split('-').map(place);
    return ends.length <= 2 && (ends[0] ?? Number.NaN) <= (ends.at(-1) ?? Number.NaN);
  });
}
