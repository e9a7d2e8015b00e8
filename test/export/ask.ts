import * as tf from '@tensorflow/tfjs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type Exported, predictionName, takesIndex } from '../../lib/export/exported.ts';
import type { Files } from '../../lib/export/formats/format.ts';
import { hashText } from '../../lib/features/hash.ts';
import type { Floats } from '../../lib/features/samples.ts';

/** Values of one sample by the names of its features. */
export type Question = Readonly<Record<string, unknown>>;

/** What an exported ONNX model answers in ONNX Runtime, [rows, outputs]. */
export async function askOnnx(
  exported: Exported,
  files: Files,
  questions: readonly Question[],
): Promise<Floats> {
  const session = await InferenceSession.create(files['model.onnx'] ?? new Uint8Array());
  const feeds = exported.features.map(({ name, width, ...feature }): [string, Tensor] => {
    const column = questions.flatMap((question) => question[name]);
    const shape = [questions.length, width];
    if (feature.kind === 'numbers' && feature.table === undefined)
      return [name, new Tensor('float64', Float64Array.from(column.map(Number)), shape)];
    if (feature.kind === 'numbers') {
      const places = column.map((text) => BigInt(bucketOf({ width, ...feature }, String(text))));
      return [name, new Tensor('int64', BigInt64Array.from(places), [questions.length, 1])];
    }
    if (feature.values !== undefined)
      return [name, new Tensor('string', column.map(String), shape)];
    const { buckets = 2 ** 32 } = feature;
    const indices = column.map((value) =>
      BigInt(typeof value === 'number' ? value : hashText(String(value)) % buckets),
    );
    return [name, new Tensor('int64', BigInt64Array.from(indices), shape)];
  });
  const answers = await session.run(Object.fromEntries(feeds));
  const prediction = answers[predictionName(exported)];
  await session.release();
  return prediction?.data as Floats;
}

/** What an exported tfjs model answers on tfjs' own backend. */
export async function askTfjs(
  exported: Exported,
  files: Files,
  questions: readonly Question[],
): Promise<Floats> {
  const { modelTopology, weightsManifest } = JSON.parse(
    Buffer.from(files['model.json'] ?? []).toString(),
  ) as tf.io.ModelJSON;
  const weights = files['weights.bin'] ?? new Uint8Array();
  const loaded = await tf.loadLayersModel(
    tf.io.fromMemory({
      modelTopology,
      weightSpecs: weightsManifest.flatMap((group) => group.weights),
      weightData: Uint8Array.from(weights).buffer,
    }),
  );
  const inputs = tfjsInputs(exported, questions).map(({ values, shape, dtype }) =>
    tf.tensor(values, shape, dtype),
  );
  return (loaded.predict(inputs) as tf.Tensor).dataSync() as Float32Array;
}

/** The inputs of an exported tfjs model, in their order. */
export function tfjsInputs({ features }: Exported, questions: readonly Question[]) {
  return features.map((feature) => {
    const column = questions.flatMap((question) => question[feature.name]);
    if (!takesIndex(feature))
      return {
        values: column.map(Number),
        shape: [questions.length, feature.width],
        dtype: 'float32' as const,
      };
    const placeOf = feature.kind === 'category' ? indexOf : bucketOf;
    const values = column.map((each) => placeOf(feature, String(each)));
    return { values, shape: [questions.length, 1], dtype: 'int32' as const };
  });
}

/** The row of a table that stands for a text. */
function bucketOf(
  { table, width }: { readonly table?: Float64Array; readonly width: number },
  text: string,
): number {
  return hashText(text) % ((table?.length ?? width) / width);
}

function indexOf(
  {
    values,
    buckets = 1,
    hashes,
  }: {
    readonly values?: readonly string[];
    readonly buckets?: number;
    readonly hashes?: readonly number[];
  },
  text: string,
): number {
  if (hashes !== undefined) return hashes.indexOf(hashText(text)) + 1;
  return values === undefined ? hashText(text) % buckets : values.indexOf(text) + 1;
}
