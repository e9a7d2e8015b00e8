import { hash } from 'node:crypto';

/**
 * SHA-256, in hex, of a spec as canonical JSON. A model's identity is the hash of its `spec.json`
 * as it was created. A later release may know more options, and fills in their defaults when it
 * reads the file; the identity does not change.
 *
 * @param spec the stored JSON, or a spec that is about to be stored
 */
export function specHash(spec: unknown): string {
  return hash('sha256', canonicalJson(spec));
}

/** Whether a text may be one of {@link specHash}. */
export function isSpecHash(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/**
 * SHA-256, in hex, of everything that what is derived from a spec depends on. Unlike the identity
 * of a spec it covers the order of the features: columns and tables lie in that order.
 */
export function hashOfDerived(features: object | undefined, all: unknown): string {
  const order = Object.keys(features ?? {});
  return hash('sha256', canonicalJson({ order, all }));
}

/** JSON with the keys of every object in code-point order. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, nested: unknown) =>
    typeof nested === 'object' && nested !== null && !Array.isArray(nested)
      ? Object.fromEntries(Object.entries(nested).sort(([a], [b]) => (a < b ? -1 : 1)))
      : nested,
  );
}
