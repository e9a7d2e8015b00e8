import * as z from 'zod';
import { storedJson } from '../bucket/json-objects.ts';
import { decodeDigested, encodeDigested } from '../bucket/safetensors.ts';
import { isOfKind } from '../errors.ts';
import type { EncodedSamples } from '../features/samples.ts';
import type { FeatureStatistics } from '../features/statistics.ts';
import { storedRefusal } from '../refusal.ts';
import { samplesFrom, samplesTensors } from '../state/samples-file.ts';
import { statisticsFrom, statisticsMetadata, statisticsTensors } from '../state/statistics-file.ts';
import { filePlace } from './formats/format.ts';

const sourcePlace = z.strictObject({
  /** Files, or entries of a journal, all rows of which came before. */
  done: z.int().nonnegative(),
  /** The place in the next file. */
  inside: filePlace.optional(),
});

/** A place between the rows of a dataset. */
export type SourcePlace = z.output<typeof sourcePlace>;

/** What rows came to so far; see `tally.ts`. */
export const rowSums = z.strictObject({
  rows: z.int().nonnegative(),
  refusedRows: z.int().nonnegative(),
  refused: z.array(storedRefusal).readonly(),
  unknown: z.record(z.string(), z.int()).readonly(),
  /** Of which some were accepted. */
  classes: z.array(z.number()).readonly(),
});

/** A {@link rowSums}. */
export type RowsSoFar = z.output<typeof rowSums>;

const sumsSchema = z.strictObject({
  place: sourcePlace,
  shardRows: z.array(z.int().positive()).readonly(),
  shardDigests: z.array(z.string()).readonly(),
  tally: rowSums,
});

/** How far a dataset is prepared: all that decides what the rows behind a place become. */
export type Unfinished = Readonly<z.output<typeof sumsSchema>> & {
  /** Rows that fill no shard yet. */
  readonly pending: EncodedSamples;
  readonly heldOut: EncodedSamples;
  /** Statistics of the shards. */
  readonly statistics: FeatureStatistics;
  /** What the rows so far say to columns that are derived. */
  readonly derived: FeatureStatistics;
};

/** The file of a dataset that is being prepared. */
export function encodeUnfinished(unfinished: Unfinished): Uint8Array {
  const { pending, heldOut, statistics, derived, ...sums } = unfinished;
  return encodeDigested({
    tensors: {
      ...samplesTensors(pending, 'pending/'),
      ...samplesTensors(heldOut, 'held_out/'),
      ...statisticsTensors(statistics, 'statistics/'),
      ...statisticsTensors(derived, 'derived/'),
    },
    metadata: {
      sums: storedJson(sums, 'the unfinished dataset'),
      statistics: storedJson(statisticsMetadata(statistics), 'its statistics'),
      derived: storedJson(statisticsMetadata(derived), 'its derived columns'),
    },
  });
}

/** Undoes {@link encodeUnfinished}; undefined if it is damaged. */
export function decodeUnfinished(body: Uint8Array): Unfinished | undefined {
  try {
    const { tensors, metadata } = decodeDigested(body);
    const json = (name: string): unknown => JSON.parse(metadata[name] ?? 'null');
    const sums = sumsSchema.parse(json('sums'));
    const pending = samplesFrom(tensors, 'pending/');
    const heldOut = samplesFrom(tensors, 'held_out/');
    const record = z.looseObject({});
    const named = (name: string) => statisticsFrom(tensors, record.parse(json(name)), `${name}/`);
    const [statistics, derived] = [named('statistics'), named('derived')];
    if (!pending || !heldOut || !statistics || !derived) return undefined;
    return { ...sums, pending, heldOut, statistics, derived };
  } catch (error) {
    const isDamage =
      isOfKind(error, 'corrupt') || error instanceof z.ZodError || error instanceof SyntaxError;
    if (isDamage) return undefined;
    throw error;
  }
}
