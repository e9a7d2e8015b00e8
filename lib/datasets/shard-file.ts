import * as z from 'zod';
import { storedJson } from '../bucket/json-objects.ts';
import { narrowed, narrowSchema } from '../bucket/narrow.ts';
import { type MatrixRows, openNarrow, openWhole } from '../bucket/narrow-rows.ts';
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from '../bucket/safetensors.ts';
import { rowsInOrder } from '../engine/run.ts';
import { invariant } from '../errors.ts';
import {
  allocateSamples,
  type EncodedSamples,
  type Layout,
  writeSamples,
} from '../features/samples.ts';
import { samplesFrom, samplesTensors } from '../state/samples-file.ts';

/** Rows that are kept in little memory, of which some are had when they are needed. */
export type StoredRows = {
  readonly count: number;
  /** Rows by their places, in that order, with raw numbers. */
  readonly at: (places: Int32Array) => EncodedSamples;
};

/** How many rows a shard has, and how each of its matrices is kept. */
const shardSchema = z.strictObject({
  rows: z.int().nonnegative(),
  matrices: z.record(z.string(), narrowSchema),
});

/** The file of a shard: rows with raw numbers, each column as narrow as it can be. */
export function encodeShard(samples: EncodedSamples): Uint8Array {
  const { count: rows } = samples;
  const all = Object.entries(samplesTensors(samples)).map(
    ([name, { data }]) => [name, narrowed(data, rows)] as const,
  );
  const matrices = Object.fromEntries(all.map(([name, { narrow }]) => [name, narrow]));
  const tensors = all.flatMap(([name, own]) =>
    Object.entries(own.tensors).map(([type, tensor]) => [`${name}/${type}`, tensor] as const),
  );
  const shard: z.output<typeof shardSchema> = { rows, matrices };
  return encodeSafetensors({
    tensors: Object.fromEntries(tensors),
    metadata: { shard: storedJson(shard, 'the shard') },
  });
}

/**
 * Opens {@link encodeShard}, and what releases before 0.31 wrote; undefined if it is no shard.
 *
 * @throws as {@link decodeSafetensors}
 */
export function openShard(file: Uint8Array): StoredRows | undefined {
  const { tensors, metadata } = decodeSafetensors(file, { sharing: true });
  if (metadata.shard === undefined) {
    const samples = samplesFrom(tensors);
    if (samples === undefined) return undefined;
    const all = Object.entries(samplesTensors(samples));
    return storedRows(
      samples.count,
      all.map(([name, { data }]) => [name, openWhole(data, samples.count)] as const),
    );
  }
  const { rows, matrices } = shardSchema.parse(JSON.parse(metadata.shard));
  const all: (readonly [string, MatrixRows])[] = [];
  for (const [name, narrow] of Object.entries(matrices)) {
    const matrix = openNarrow(narrow, (type) => tensors[`${name}/${type}`]?.data, rows);
    if (matrix === undefined) return undefined;
    all.push([name, matrix]);
  }
  return storedRows(rows, all);
}

/** Undefined if they are no matrices of samples. */
function storedRows(
  count: number,
  matrices: readonly (readonly [name: string, matrix: MatrixRows])[],
): StoredRows | undefined {
  const found = (places: Int32Array) =>
    samplesFrom(
      Object.fromEntries(
        matrices.map(([name, { width, rowsAt }]): [string, StoredTensor] => [
          name,
          { shape: [places.length, width], data: rowsAt(places) },
        ]),
      ),
    );
  if (found(new Int32Array(0)) === undefined) return undefined;
  const at = (places: Int32Array): EncodedSamples => {
    const samples = found(places);
    invariant(samples !== undefined, 'the matrices of a shard are those that it was opened with');
    return { ...samples, isDerived: true };
  };
  return { count, at };
}

/** All rows, in order. */
export function allRows({ count, at }: StoredRows): EncodedSamples {
  return at(rowsInOrder(count));
}

/** The rows of several, one behind the other. */
export function joinRows(parts: readonly StoredRows[], layout: Layout): StoredRows {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const ends: number[] = [];
  for (const { count } of parts) ends.push((ends.at(-1) ?? 0) + count);
  return {
    count: ends.at(-1) ?? 0,
    at(places) {
      const samples: EncodedSamples = {
        ...allocateSamples(places.length, layout),
        isDerived: true,
      };
      parts.forEach((part, i) => {
        const [start, end] = [ends[i - 1] ?? 0, ends[i] ?? 0];
        const own = rowsInOrder(places.length).filter((to) => {
          const place = places[to] ?? 0;
          return place >= start && place < end;
        });
        const rows = part.at(own.map((to) => (places[to] ?? 0) - start));
        writeSamples(rows, samples, own, layout);
      });
      return samples;
    },
  };
}
