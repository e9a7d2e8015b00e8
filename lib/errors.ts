/**
 * What a caller does about a failure:
 * - `invalid`: the input is wrong; the same call can never succeed. Never retry.
 * - `unavailable`: a service did not answer, or answered that it cannot now. Retry later.
 * - `corrupt`: stored data breaks an invariant. Stop and keep the evidence.
 */
export type FailureKind = 'invalid' | 'unavailable' | 'corrupt';

/**
 * `spec-changed`: the model is stopped until its own `spec.json` is back. `damaged-cache`:
 * something derived is missing or damaged, and must be made again. `out-of-time`: what was reached
 * is stored, and the next invocation goes on from there.
 */
export type FailureCode = 'spec-changed' | 'damaged-cache' | 'out-of-time';

/** The one error class of Millrace; `kind` says what to do next. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly kind: FailureKind;
  /** For programs that must tell failures of one kind apart. */
  readonly code?: FailureCode | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    { cause, code }: { readonly cause?: unknown; readonly code?: FailureCode } = {},
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.kind = kind;
    if (code !== undefined) this.code = code;
  }
}

/** Stops a model whose stored data breaks an invariant, rather than guess. */
export function invariant(holds: boolean, message: string): asserts holds {
  if (!holds) throw new MillraceError('corrupt', `invariant broken: ${message}`);
}

/**
 * A model is stopped because what was stored belongs to a spec other than the one in `spec.json`.
 */
export function specChanged(what: string): MillraceError {
  const message = `${what}: spec.json is not to be written over; millrace spec changes a spec`;
  return new MillraceError('corrupt', message, { code: 'spec-changed' });
}

/** Something derived is missing, damaged or not what its name says: it must be made again. */
export function damagedCache(what: string): MillraceError {
  return new MillraceError('unavailable', what, { code: 'damaged-cache' });
}

/** An invocation had no time left; what it reached is stored. */
export function outOfTime(what: string): MillraceError {
  return new MillraceError('unavailable', `${what}: no time is left`, { code: 'out-of-time' });
}

/** Whether a caught value is {@link outOfTime}. */
export function isOutOfTime(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'out-of-time';
}

/** For `.catch()`: what needs more time than is left; any other error is thrown. */
export function ifOutOfTime(error: unknown): 'out-of-time' {
  if (isOutOfTime(error)) return 'out-of-time';
  throw error;
}

/**
 * A {@link MillraceError} of kind `invalid`; the message names the field, what was found and what
 * is allowed.
 */
export function invalid(message: string, cause?: unknown): MillraceError {
  return new MillraceError('invalid', message, { cause });
}

/** Whether a caught value is a {@link MillraceError} of a kind. */
export function isOfKind(error: unknown, kind: FailureKind): error is MillraceError {
  return error instanceof MillraceError && error.kind === kind;
}

/** The error that names an object of the bucket which a journal needs. */
export function lost(key: string): MillraceError {
  return new MillraceError('corrupt', `${key} is missing or was changed`);
}

/** What a caught value says. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** For `.catch()`: the message of an error of one kind, as a value; any other error is thrown. */
export function reasonIf(kind: FailureKind): (error: unknown) => string {
  return (error) => {
    if (isOfKind(error, kind)) return error.message;
    throw error;
  };
}
