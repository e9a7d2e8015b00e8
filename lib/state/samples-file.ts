import type { Matrix } from '../bucket/narrow.ts';
import type { SafetensorsFile, StoredTensor } from '../bucket/safetensors.ts';
import { type EncodedSamples, exactNumbers } from '../features/samples.ts';

/** Samples with raw numbers as tensors of a file; `prefix` is before each name. */
export function samplesTensors(
  { count, raw, categories, labels, weights }: EncodedSamples,
  prefix = '',
): Record<string, StoredTensor & { readonly data: Matrix }> {
  const matrix = (data: Matrix) => ({
    shape: [count, count === 0 ? 0 : data.length / count],
    data,
  });
  const vector = (data: Matrix) => ({ shape: [count], data });
  return {
    [`${prefix}numbers`]: matrix(raw),
    [`${prefix}categories`]: matrix(categories),
    [`${prefix}labels`]: labels.length === count ? vector(labels) : matrix(labels),
    [`${prefix}weights`]: vector(weights),
  };
}

/** Undoes {@link samplesTensors}; undefined if there are no samples in the file. */
export function samplesFrom(
  tensors: SafetensorsFile['tensors'],
  prefix = '',
): EncodedSamples | undefined {
  const [numbers, categories, labels, weights] = ['numbers', 'categories', 'labels', 'weights'].map(
    (name) => tensors[prefix + name]?.data,
  );
  if (
    !isFloats(numbers) ||
    !isFloats(labels) ||
    !(categories instanceof Int32Array) ||
    !(weights instanceof Float32Array)
  )
    return undefined;
  const own = numbers instanceof Float64Array ? exactNumbers(numbers) : { numbers, raw: numbers };
  return { count: weights.length, ...own, categories, labels, weights };
}

function isFloats(data: StoredTensor['data'] | undefined): data is Float32Array | Float64Array {
  return data instanceof Float32Array || data instanceof Float64Array;
}
