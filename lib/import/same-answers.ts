import type { Tensors } from '../engine/engine.ts';
import { tfjsEngine } from '../engine/tfjs.ts';
import { invalid } from '../errors.ts';
import { trainedLayoutOf } from '../features/columns.ts';
import { hashIntegers } from '../features/hash.ts';
import { allocateSamples } from '../features/samples.ts';
import type { Spec } from '../spec/spec.ts';

/** A spec, and weights under the names of its network. */
export type Answering = { readonly spec: Spec; readonly tensors: Tensors };

/** How far answers may be apart, as a share of the largest: what rounding comes to. */
const mostApart = 1e-3;
const rows = 16;

/**
 * That the network of a spec answers as the file's own layers do, by the same weights: layers may
 * have other activations, and there may be more without weights.
 *
 * @throws MillraceError kind `invalid` if it does not
 */
export async function assertSameAnswers(own: Answering, theirs: Answering): Promise<void> {
  const [answers, others] = [await answersOf(own), await answersOf(theirs)];
  const largest = others.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  const apart = answers.map((each, i) => Math.abs(each - (others[i] ?? Number.NaN)));
  const isSame = apart.every((each) => each <= mostApart * largest);
  if (answers.length === others.length && isSame) return;
  throw invalid(
    'spec.network: it answers otherwise than the layers of the file do by the same weights: their ' +
      'activations differ, or one has layers that the other has not; leave network out to take ' +
      'those of the file',
  );
}

/** What a network answers for some samples that are drawn. */
async function answersOf({ spec, tensors }: Answering): Promise<Float32Array> {
  const { predict } = await tfjsEngine.compile(spec);
  const samples = allocateSamples(rows, trainedLayoutOf(spec));
  const draw = (i: number) => hashIntegers(i) / 2 ** 31 - 1;
  samples.numbers.forEach((_, i) => {
    samples.numbers[i] = 2 * draw(i);
  });
  return predict({ tensors, step: 0, seed: spec.seed }, samples);
}
