/**
 * Why something is refused, for programs; the sentence beside it is for people. Stored with quarantine records, so a
 * code keeps its meaning over releases.
 */
export type RefusalCode =
  // Samples.
  | 'missing'
  | 'wrong-type'
  | 'not-finite'
  | 'unknown-field'
  | 'unknown-class'
  | 'diverged'
  // Messages.
  | 'malformed'
  | 'unreadable-object'
  | 'producer-evicted'
  | 'too-many-producers'
  | 'too-many-gaps'
  | 'letter-too-old'
  // Commands.
  | 'no-challenger'
  | 'no-such-entry'
  | 'retracted-since'
  | 'rolled-back-since'
  | 'replaced-since';

/** A no: what was asked for is not done. */
export type Refused = { readonly ok: false; readonly code: RefusalCode; readonly reason: string };

/** A yes without anything else to say. */
export type Accepted = { readonly ok: true };

/** The one value of {@link Accepted}: rows are written by the million. */
export const accepted: Accepted = { ok: true };

/** A no with its code and its sentence. */
export function refuse(code: RefusalCode, reason: string): Refused {
  return { ok: false, code, reason };
}
