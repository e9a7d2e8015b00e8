import * as z from 'zod';

/** The version of a checkpoint's metadata; a reader refuses any other. */
export const format = 'millrace-1';

const count = z.coerce.number().pipe(z.int().nonnegative());

/** What the metadata of parameters say; all are texts, as safetensors has them. */
export const parametersMetadata = z.object({
  format: z.literal(format),
  step: count,
  seed: count,
  replaySeen: count.optional(),
});

/** What the metadata of a state say; some of its texts are JSON, of the schemas below. */
export const stateMetadata = parametersMetadata.extend({
  model: z.string(),
  sequence: count,
  nonce: z.string().optional(),
  arithmetic: z.string().optional(),
  entryArithmetic: z.string().optional(),
  spec: z.string(),
  specSince: count.optional(),
  learnt: count,
  ledger: z.string(),
  scores: z.string(),
  prior: z.string().optional(),
  lately: z.string().optional(),
  promoted: z.string().optional(),
  replaced: z.string().optional(),
  retractions: z.string().default('[]'),
});

/** Scores without their histograms. */
export const sumsSchema = z.strictObject({
  samples: z.number(),
  weight: z.number(),
  loss: z.number(),
  correct: z.number(),
});

/** What the labels alone earned. */
export const priorSchema = z.strictObject({ loss: z.number(), correct: z.number() });

/** A batch job, and the entry that promoted it. */
export const promotedSchema = z.strictObject({ job: z.string(), sequence: z.int() });

/** Where weights come from. */
export const originSchema = z.strictObject({
  promoted: promotedSchema.optional(),
  rollback: z.strictObject({ sequence: z.int(), to: z.int() }).optional(),
});

/** An entry that put other weights in place. The fields are written in this order. */
export const replacedSchema = z.strictObject({
  sequence: z.int(),
  to: z.int().optional(),
  ...originSchema.shape,
});

/** Retractions. */
export const retractionsSchema = z.array(z.strictObject({ from: z.int(), sequence: z.int() }));
