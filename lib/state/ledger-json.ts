import * as z from 'zod';
import type { Ledger } from './ledger.ts';

const ledgerSchema = z.strictObject({
  producers: z.array(
    z.tuple([
      z.string(),
      z.strictObject({
        highest: z.int().nonnegative(),
        gaps: z.array(z.tuple([z.int().positive(), z.int().positive()])),
        usedAt: z.int().nonnegative(),
        latest: z.array(z.tuple([z.int().positive(), z.string()])).optional(),
      }),
    ]),
  ),
  evicted: z.array(z.string()),
  appliedThrough: z.array(z.tuple([z.string(), z.string().regex(/^\d+$/)])),
  redriven: z.array(z.string()).default([]),
});

/** A ledger as JSON, for the metadata of a checkpoint. */
export function ledgerToJson(ledger: Ledger): string {
  return JSON.stringify({
    producers: [...ledger.producers],
    evicted: ledger.evicted,
    appliedThrough: [...ledger.appliedThrough],
    ...(ledger.redriven.length === 0 ? {} : { redriven: ledger.redriven }),
  });
}

/**
 * Reads {@link ledgerToJson}. @param at the entry that its state is at. @throws ZodError or
 *   SyntaxError if it is none
 */
export function ledgerFromJson(json: string, at: number): Ledger {
  const { producers, evicted, appliedThrough, redriven } = ledgerSchema.parse(JSON.parse(json));
  return {
    producers: new Map(producers),
    evicted,
    appliedThrough: new Map(appliedThrough),
    redriven,
    at,
  };
}
