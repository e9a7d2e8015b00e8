import { type ParseArgsConfig, parseArgs } from 'node:util';
import * as z from 'zod';
import { invalid, reasonOf } from '../errors.ts';
import { show } from '../parse.ts';

/** Ends the program with status 2 and a sentence for the person who mistyped something. */
export function stopFor(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(2);
}

/**
 * Reads a program's arguments, as {@link parseArgs} does. Unknown ones end the program, and its
 * usage is shown.
 */
export function readArguments<const Config extends ParseArgsConfig>(usage: string, config: Config) {
  try {
    return parseArgs(config);
  } catch (cause) {
    return stopFor(`${reasonOf(cause)}\n\n${usage}`);
  }
}

/** The value of an option that is a whole number. */
export function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
  return stopFor(
    `${option}: must be a whole number of at least ${least} (found ${JSON.stringify(text)})`,
  );
}

const entry = z
  .string()
  .regex(/^(0|[1-9]\d*)$/)
  .transform(Number)
  .pipe(z.int());

/** ISO 8601 with date, time and zone; without a zone it would mean another time elsewhere. */
const time = z
  .union([z.iso.datetime({ offset: true }), z.iso.datetime({ offset: true, precision: -1 })])
  .transform((text) => Date.parse(text));

/**
 * The value of an option that is an entry's number, or a time.
 *
 * @throws MillraceError kind `invalid` for anything else
 */
export function entryOrTime(
  option: string,
  text: string,
): { readonly entry: number } | { readonly time: number } {
  const number = entry.safeParse(text);
  if (number.success) return { entry: number.data };
  const parsed = time.safeParse(text);
  if (parsed.success) return { time: parsed.data };
  throw invalid(
    `${option}: must be an entry's number, or a time with its zone such as 2026-11-24T12:00Z ` +
      `(found ${show(text)})`,
  );
}

/**
 * The value of an option that is a time, in milliseconds since 1970.
 *
 * @throws MillraceError kind `invalid` unless it is ISO 8601 with a zone
 */
export function timeOf(option: string, text: string): number {
  const parsed = time.safeParse(text);
  if (parsed.success) return parsed.data;
  throw invalid(
    `${option}: must be a time with its zone such as 2026-11-24T12:00Z (found ${show(text)})`,
  );
}
