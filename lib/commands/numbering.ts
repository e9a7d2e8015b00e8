import * as z from 'zod';
import { limits } from '../limits.ts';
import { strictObject } from '../parse.ts';
import { producerName } from '../spec/names.ts';

/** The fields that every message's body may have: its producer's number. */
export const numbering = {
  producer: producerName.optional(),
  seq: z.int().positive().optional(),
  /**
   * Set by `millrace redrive`: the dead letter that got this number, and the last entry that was
   * searched for it.
   */
  deadLetter: strictObject({
    id: z.string().max(limits.producerCharacters),
    searchedTo: z.int().nonnegative(),
  }).optional(),
};
