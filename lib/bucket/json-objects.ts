import type { z } from 'zod';
import { isOfKind, MillraceError } from '../errors.ts';
import { explain, jsonIfAny } from '../parse.ts';
import type { ObjectStore } from './object-store.ts';

/**
 * A value as the JSON that is stored. JSON would write a number that is not finite as null, and a
 * reader could not read it again.
 *
 * @param space for each level of indentation; all on one line unless given
 * @throws MillraceError kind `corrupt` that names the field whose number is not finite
 */
export function storedJson(value: unknown, what: string, space = 0): string {
  const refuseNumber = (field: string, nested: unknown) => {
    if (typeof nested !== 'number' || Number.isFinite(nested)) return nested;
    const reason = `${what}: ${field} is ${nested}, which cannot be stored`;
    throw new MillraceError('corrupt', reason);
  };
  return JSON.stringify(value, refuseNumber, space);
}

/** What came from outside, as evidence: numbers that JSON does not have are written as texts. */
export function evidenceBody(value: unknown): Uint8Array {
  const asText = (_: string, nested: unknown) => {
    const isText =
      typeof nested === 'bigint' || (typeof nested === 'number' && !Number.isFinite(nested));
    return isText ? String(nested) : nested;
  };
  return Buffer.from(`${JSON.stringify(value, asText, 1)}\n`);
}

/** A value as the body of an object that people read too. @throws as {@link storedJson} */
export function jsonBody(value: unknown, key: string): Uint8Array {
  return Buffer.from(`${storedJson(value, key, 1)}\n`);
}

/**
 * What a body holds. @throws MillraceError kind `corrupt` that names the key, if it is not what the
 * schema says
 */
export function parseJsonBody<Schema extends z.ZodType>(
  schema: Schema,
  body: Uint8Array,
  key: string,
): z.output<Schema> {
  const value = jsonIfAny(Buffer.from(body).toString('utf8'));
  if (value === undefined) throw damaged(key, 'it is no JSON');
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw damaged(key, explain(parsed.error, value, 'it').message);
  return parsed.data;
}

function damaged(key: string, reason: string): MillraceError {
  return new MillraceError('corrupt', `${key} is damaged: ${reason}`);
}

/** What a body holds; undefined if it is damaged, where it is then written again. */
export function parseUndamaged<Schema extends z.ZodType>(
  schema: Schema,
  body: Uint8Array,
): z.output<Schema> | undefined {
  try {
    return parseJsonBody(schema, body, 'the object');
  } catch (error) {
    if (isOfKind(error, 'corrupt')) return undefined;
    throw error;
  }
}

/** The JSON object at a key; undefined if there is none. @throws as {@link parseJsonBody} */
export async function readJsonObject<Schema extends z.ZodType>(
  store: ObjectStore,
  key: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const object = await store.get(key);
  return object === undefined ? undefined : parseJsonBody(schema, object.body, key);
}
