import * as z from 'zod';

/**
 * Why something is refused, for programs; the sentence beside it is for people. Stored with
 * quarantine records, so a code keeps its meaning over releases.
 */
export type RefusalCode =
  // Samples.
  | 'missing'
  | 'wrong-type'
  | 'not-finite'
  | 'unknown-field'
  | 'unknown-class'
  | 'diverged'
  | 'outlier'
  | 'bad-row'
  | 'unknown-id'
  | 'labelled-before'
  | 'id-taken'
  // Messages.
  | 'malformed'
  | 'too-large'
  | 'too-slow'
  | 'unreadable-object'
  | 'producer-evicted'
  | 'too-many-producers'
  | 'too-many-gaps'
  | 'number-reused'
  | 'number-too-old'
  | 'letter-too-old'
  // Commands.
  | 'no-challenger'
  | 'no-such-entry'
  | 'retracted-since'
  | 'rolled-back-since'
  | 'replaced-since'
  | 'spec-changed-since'
  | 'same-spec'
  | 'no-such-spec';

/** A refused sample as it is stored. Its code may be one of a later release. */
export const storedRefusal = z.object({
  index: z.int(),
  field: z.string(),
  /** Absent in what releases before 0.2 wrote. */
  code: z.string().optional(),
  reason: z.string(),
  /** Where a row of a dataset comes from. */
  file: z.string().optional(),
  line: z.int().optional(),
});

/** See {@link storedRefusal}. */
export type StoredRefusal = z.output<typeof storedRefusal>;

/** A no: what was asked for is not done. The code is for programs, the reason for people. */
export type Refused<Code extends string = RefusalCode> = {
  readonly ok: false;
  readonly code: Code;
  readonly reason: string;
};

/** A yes, where there is nothing else to say. */
export type Accepted = { readonly ok: true };

/** The one value of {@link Accepted}: rows are written by the million. */
export const accepted: Accepted = { ok: true };

/** A no with its code and its sentence. */
export function refuse<Code extends string>(code: Code, reason: string): Refused<Code> {
  return { ok: false, code, reason };
}
