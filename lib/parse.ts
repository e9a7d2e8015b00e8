import { z } from 'zod';
import { invalid, type MillraceError } from './errors.ts';
import { limits } from './limits.ts';

/** A strict object. Its error for an unknown field names the field and lists the allowed ones. */
export function strictObject<Shape extends z.ZodRawShape>(
  shape: Shape,
): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown field ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}; ` +
          `allowed: ${Object.keys(shape).join(', ')}`
        : undefined,
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
  const lines = error.issues.map((issue) => {
    const field = [subject, ...issue.path.map(String)].join('.');
    const isUnknown = issue.code === 'unrecognized_keys';
    const found = isUnknown ? '' : ` (found ${show(valueAt(input, issue.path))})`;
    return `${field}: ${issue.message}${found}`;
  });
  // Without the cause: a program that does not catch it would print all of Zod's own account.
  return invalid(lines.join('; '));
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

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
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
): unknown {
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > mostBytes) {
    throw invalid(`${what}: at most ${mostBytes} bytes are allowed (found ${sizeBytes})`);
  }
  const depth = depthOf(text);
  if (depth > limits.jsonDepth) {
    throw invalid(`${what}: nested ${depth} deep; at most ${limits.jsonDepth} is allowed`);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    throw invalid(`${what}: must be JSON: ${reason}`, cause);
  }
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
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (isInString) {
      if (character === '\\') i += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '[' || character === '{') deepest = Math.max(deepest, ++depth);
    else if (character === ']' || character === '}') depth -= 1;
  }
  return deepest;
}
