import type { ByteSource } from '../datasets/byte-source.ts';
import { type FileChunk, readSamples } from '../datasets/read-samples.ts';
import { invalid } from '../errors.ts';
import { layoutOf } from '../features/columns.ts';
import type { Encoder, Refusal } from '../features/encoder.ts';
import { isLateLabel } from '../features/sample-id.ts';
import { limits } from '../limits.ts';
import { listNames } from '../parse.ts';
import type { Spec } from '../spec/spec.ts';

/** A file whose rows are sent. */
type SourceFile = { readonly name: string; readonly bytes: ByteSource };

/** A chunk of a file whose rows are sent. */
export type SentChunk = Omit<FileChunk, 'rows'> & { readonly samples: readonly unknown[] };

/** The rows of a file as they are sent. */
export async function* readSent(spec: Spec, file: SourceFile): AsyncGenerator<SentChunk> {
  for await (const { rows: _, ...chunk } of readSamples(spec, { ...file, isSent: true }))
    yield { ...chunk, samples: [...chunk.samples] };
}

/** The rows of a file as labels of what was asked under their ids. */
export async function* readLabels(
  spec: Spec,
  file: SourceFile,
  idColumn: string,
): AsyncGenerator<SentChunk> {
  let isKnown = false;
  for await (const { rows: items, ...chunk } of readSamples(spec, { ...file, columns: 'all' })) {
    const rows = [...items];
    isKnown ||= rows.some((row) => Object.hasOwn(row, idColumn));
    const [first] = rows;
    if (!isKnown && first !== undefined)
      throw invalid(
        `--id: the file has no column ${idColumn} (found ${listNames(Object.keys(first))})`,
      );
    const samples = rows.map((row) => {
      const { id: _, ...label } = chunk.reader.toLateLabel(row);
      return { id: chunk.reader.readId(row[idColumn]) ?? null, ...label };
    });
    yield { ...chunk, samples, absent: () => [] };
  }
}

/** So many labels of a message that what was asked under their ids fits into an entry. */
export function labelsPerMessage(spec: Spec): number {
  const questionBytes = 4_096 + 24 * layoutOf(spec).numberWidth;
  return Math.max(1, Math.min(500, Math.floor(limits.lateBytes / questionBytes)));
}

/** What cannot be learnt of samples; of labels with an id, nobody knows the features here. */
export function refusedOf(encoder: Encoder, samples: readonly unknown[]): readonly Refusal[] {
  const late: number[] = [];
  const whole: number[] = [];
  samples.forEach((sample, place) => {
    (isLateLabel(sample) ? late : whole).push(place);
  });
  const refused = (encode: Encoder['encodeLabels'], places: readonly number[]) =>
    encode(places.map((place) => samples[place])).refused.map((refusal) => ({
      ...refusal,
      index: places[refusal.index] ?? -1,
    }));
  const all = [...refused(encoder.encode, whole), ...refused(encoder.encodeLabels, late)];
  return all.sort((a, b) => a.index - b.index);
}
