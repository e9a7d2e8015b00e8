import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { compileModel } from '../../lib/model/model.ts';
import { type Expert, isOfNeighbours, isOfTrees } from '../../lib/spec/experts-schema.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { learnAll } from '../bench/progressive.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const draw = (...place: number[]) => (hashIntegers(...(place as [number])) + 0.5) / 2 ** 32;
const declared = {
  model: 'm',
  task: 'regression',
  features: { a: { type: 'number' }, team: { type: 'category', values: ['x', 'y'] } },
  network: { hidden: [8] },
  online: { experts: 'default' },
} satisfies SpecInput;

/** Models of each kind, and the label of a sample from two numbers between 0 and 1. */
const kinds: readonly (readonly [Partial<SpecInput>, (u: number, v: number) => unknown])[] = [
  [{}, (u, v) => (v < 0.8 ? 0 : u + v)],
  [{ loss: { quantile: 0.8 } }, (u, v) => u + v],
  [{ label: { outputs: ['u', 'v'] } }, (u, v) => ({ u: u + v, v: 10 * v })],
  [{ task: 'binary' }, (u, v) => v < u],
  [
    { task: 'multiclass', label: { classes: ['a', 'b', 'c'] } },
    (_, v) => ['a', 'b', 'c'][Math.floor(3 * v)],
  ],
];

/**
 * A digest of all tensors of models of a revision, behind some messages, a long one first.
 *
 * @param isLater whether an expert is among today's defaults of any revision, and was not before
 */
async function digestOf(
  revision: number,
  of: typeof kinds = kinds,
  isLater: (expert: Expert) => boolean = () => false,
): Promise<string> {
  const hash = createHash('sha256');
  for (const [own, labelOf] of of) {
    const today = defineSpec({ ...declared, ...own });
    const experts = today.online.experts?.filter((each) => !isLater(each));
    const spec = { ...today, revision, online: { ...today.online, experts } };
    const model = { name: 'm', ...(await compileModel(engine, spec)) };
    let { initial: parameters } = model;
    let first = 0;
    for (const size of [1_500, 40, 1]) {
      const rows = Array.from({ length: size }, (_, i) => {
        const [u, v] = [draw(first + i, 1), draw(first + i, 2)];
        return { features: { a: u, team: v > 0.5 ? 'x' : 'y' }, label: labelOf(u, v) };
      });
      first += size;
      const { samples } = model.encoder.encode(rows);
      ({ parameters } = await learnAll(model, parameters, samples));
    }
    for (const [name, { data }] of Object.entries(parameters.tensors).sort())
      hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex').slice(0, 16);
}

// (Of releases 0.35.0 to 0.38.0, that wrote them: a model that exists keeps its bits.)
it.each([
  [11, 'f7e5f4813d81d30c'],
  [14, 'e1e2277924123562'],
  [16, '468a30b21b2fce3b'],
  [18, 'be4d6579d5267573'],
  [19, '124e026fba21cde5'],
  [20, '124e026fba21cde5'],
  [21, '5b12328b7c9af249'],
])('models of revision %i have the bits that they had', async (revision, digest) => {
  // (Since 0.38 there is one more default expert, of any revision, and another since 0.39.)
  const isLater = (each: Expert) => isOfNeighbours(each) || isOfTrees(each);
  expect(await digestOf(revision, kinds, isLater)).toBe(digest);
});

const weighing: typeof kinds = [
  [{ task: 'binary', label: { classWeights: 'balanced' } }, (u, v) => v < u / 10],
];

it('models of release 0.39 have the bits that they had', async () => {
  // (Since 0.40 there are trees among the default experts of a quantile, too.)
  const others = kinds.filter(([{ loss }]) => loss === undefined);
  expect(await digestOf(21, others)).toBe('229404fc0370ae1e');
  expect(await digestOf(21, weighing)).toBe('1c3c9a5290ca53ca');
});

/** Over texts that are long since revision 23. */
const ofWords: typeof kinds = [
  [
    {
      features: { a: { type: 'number' }, team: { type: 'text', buckets: 300 } },
      online: { experts: [{ hidden: [], secondOrder: true }, { predicts: 'stack' }] },
    },
    (u, v) => (v > 0.5 ? u : v),
  ],
];

it('models of release 0.40 have the bits that they had', async () => {
  expect(await digestOf(22)).toBe('910cd1fa96df1d31');
  expect(await digestOf(22, weighing)).toBe('fd33adba8d2167c5');
  expect(await digestOf(22, ofWords)).toBe('d7902d6486858336');
  expect(await digestOf(23, ofWords)).not.toBe('d7902d6486858336');
});
