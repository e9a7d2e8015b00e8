import * as z from 'zod';
import { producerName } from '../spec/names.ts';

const settledMessage = z.strictObject({
  id: z.string(),
  producer: producerName.optional(),
  seq: z.int().positive().optional(),
  /** What its producer sent under this number; absent in releases before 0.3. */
  digest: z.string().optional(),
  /** The id of the dead letter that got this number. */
  deadLetter: z.string().optional(),
  queue: z.string(),
  sequenceNumber: z.string().regex(/^\d+$/),
  outcome: z.enum(['learnt', 'rejected']),
  /** Samples of this message among the entry's lines. */
  samples: z.int().nonnegative(),
  /** Samples of this message in quarantine. */
  refused: z.int().nonnegative(),
  /** The mean loss that the model before this message earned on it. */
  loss: z
    .number()
    .nullish()
    // Release 0.1.0 wrote null where the weights of a message added up to 0.
    .transform((loss) => loss ?? undefined)
    .optional(),
});

/** A message that an entry settles, and what became of it. */
export type SettledMessage = z.output<typeof settledMessage>;

/** The fields that the header of every entry has; a command adds its kind and its own. */
export const commonHeader = {
  sequence: z.int().positive(),
  model: z.string(),
  /** The identity of the model's spec. */
  spec: z.string(),
  engine: z.string(),
  nonce: z.string(),
  /**
   * The digest of the kept checkpoint before it, where another arithmetic had made that; see
   * `lib/fold/arithmetics.ts`.
   */
  checkpoint: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  time: z.string(),
  messages: z.array(settledMessage),
};

/** What the header of every entry says. */
export type CommonHeader = z.output<z.ZodObject<typeof commonHeader>>;
