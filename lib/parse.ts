import * as z from 'zod';
import { invalid, type MillraceError, reasonOf } from './errors.ts';
import { limits } from './limits.ts';
import { problemsOf, valueAt, withoutEchoes } from './problems.ts';

/**
 * A strict object. Its error for an unknown field names the field and lists the allowed ones.
 *
 * @param allowed the fields that it lists; those of the shape unless given
 * @param otherwise what is to be said of a field that another kind of such objects has
 */
export function strictObject<Shape extends z.ZodRawShape>(
  shape: Shape,
  allowed: readonly string[] = Object.keys(shape),
  otherwise: Readonly<Record<string, string>> = {},
): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error(issue) {
      if (issue.code !== 'unrecognized_keys') return undefined;
      const said = issue.keys.flatMap((key) =>
        Object.hasOwn(otherwise, key) ? (otherwise[key] ?? []) : [],
      );
      if (said.length > 0) return said.join('; ');
      const names = listNames(issue.keys.map((key) => show(key)));
      return `unknown field ${names}; allowed: ${allowed.join(', ')}`;
    },
  });
}

/**
 * Parses what came from outside.
 *
 * @throws MillraceError kind `invalid` that names each field, what was expected and what was found
 */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  subject: string,
): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw explain(parsed.error, input, subject);
}

/** One line for each problem: `field: what is allowed (found …)`. */
export function explain(error: z.ZodError, input: unknown, subject: string): MillraceError {
  const problems = withoutEchoes(error.issues).flatMap((issue) => problemsOf(issue, input));
  const lines = problems.map(({ path, text, isComplete }) => {
    const field = [subject, ...path.map((part) => inOneLine(String(part)))].join('.');
    return isComplete
      ? `${field}: ${text}`
      : `${field}: ${text} (found ${show(valueAt(input, path))})`;
  });
  // Without the cause: a program that does not catch it would print all of Zod's own account.
  return invalid(lines.join('; '));
}

/** A text for a terminal: of what it may hold of others' data, nothing moves its cursor. */
export function printable(text: string): string {
  return text.split('\n').map(inOneLine).join('\n');
}

/** A text whose control characters are written out. */
export function inOneLine(text: string): string {
  const written = (odd: string) => `\\u${odd.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return text.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, written);
}

/** A short, safe text of any value, for error messages. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  const text = textOf(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value, plainJson) ?? typeof value;
  } catch {
    // Nested so deep that it exhausts the stack, or in a circle.
    return Array.isArray(value) ? 'a list' : 'an object';
  }
}

/** For `JSON.stringify`: JSON has no integer of 64 bits, so it is a text. */
export function plainJson(_: string, nested: unknown): unknown {
  return typeof nested === 'bigint' ? String(nested) : nested;
}

/**
 * JSON of bounded size and depth.
 *
 * @param what names the text in errors
 * @param mostBytes that are allowed
 * @throws MillraceError kind `invalid`
 */
export function parseJson(
  text: string,
  what = 'body',
  mostBytes: number = limits.messageBytes,
  mostDepth: number = limits.jsonDepth,
): unknown {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > mostBytes) {
    throw invalid(`${what}: at most ${mostBytes} bytes are allowed (found ${sizeBytes})`);
  }
  try {
    const value = jsonOf(text, what);
    // V8 parses any depth; whoever goes through it would not.
    if (!isDeeper(value, mostDepth)) return value;
  } catch (error) {
    assertDepth(text, what, mostDepth);
    throw error;
  }
  throw tooDeep(text, what, mostDepth);
}

/** Whether lists and objects are nested deeper than that. */
function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (most === 0) return true;
  if (Array.isArray(value)) {
    for (const each of value) if (isDeeper(each, most - 1)) return true;
    return false;
  }
  for (const key of Object.keys(value))
    if (isDeeper((value as Record<string, unknown>)[key], most - 1)) return true;
  return false;
}

/** @throws MillraceError kind `invalid` if brackets are nested deeper than `most` */
export function assertDepth(text: string, what: string, most: number): void {
  if (depthOf(text) > most) throw tooDeep(text, what, most);
}

function tooDeep(text: string, what: string, most: number): MillraceError {
  return invalid(`${what}: nested ${depthOf(text)} deep; at most ${most} is allowed`);
}

/** The value of a text of JSON. @throws MillraceError kind `invalid` that names the text */
export function jsonOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(`${what}: must be JSON: ${reasonOf(cause)}`, cause);
  }
}

/**
 * The value of a text of JSON, in which whole numbers beyond ±2^53 are the texts that stand there:
 * as numbers, several of them would be one. @throws SyntaxError
 */
export function jsonAsWritten(text: string): unknown {
  const exact = (_: string, value: unknown, context?: { readonly source?: string }) => {
    const isExact = !Number.isInteger(value) || Number.isSafeInteger(value);
    const { source = '' } = context ?? {};
    return isExact || !/^-?\d+$/.test(source) ? value : source;
  };
  return JSON.parse(text, exact);
}

/** The value of a text, if it is JSON. */
export function jsonIfAny(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is an object of fields, and no list. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Some names for an error message: all of them, or the first and how many there are. */
export function listNames(names: readonly string[]): string {
  const most = 10;
  if (names.length <= most) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

/** How deep brackets are nested, outside of strings. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isText = false;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (isText) {
      if (character === codes.backslash) i += 1;
      else if (character === codes.quote) isText = false;
    } else if (character === codes.quote) isText = true;
    // With 32 added, [ and { are the same.
    else if ((character | 32) === codes.opening) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if ((character | 32) === codes.closing) depth -= 1;
  }
  return deepest;
}

const codes = { quote: 0x22, backslash: 0x5c, opening: 0x7b, closing: 0x7d } as const;
