import { limits } from '../limits.ts';
import { show } from '../parse.ts';
import { type Feature, vocabularySize } from '../spec/features.ts';
import type { Spec } from '../spec/spec.ts';
import { hashText } from './hash.ts';
import { allocateSamples, type EncodedSamples, gatherSamples, type Layout } from './samples.ts';

/** Why one sample cannot be learnt. `index` is its place in the message or dataset. */
export type Refusal = { readonly index: number; readonly field: string; readonly reason: string };

/** A sample as it is sent: features by name, a label, and a weight (1 unless given). */
export type Sample = {
  readonly features: Readonly<Record<string, unknown>>;
  readonly label: unknown;
  readonly weight?: number;
};

/** What became of a list of raw samples: those that can be learnt (by their places), and why the others cannot. */
export type Encoding = {
  readonly samples: EncodedSamples;
  readonly accepted: Int32Array;
  readonly refused: readonly Refusal[];
};

/** Turns raw samples into numbers; made once for each spec. */
export type Encoder = { readonly layout: Layout; readonly encode: (samples: readonly unknown[]) => Encoding };

type Problem = { readonly field: string; readonly reason: string };
type Column = {
  readonly name: string;
  readonly write: (value: unknown, into: EncodedSamples, row: number) => string | undefined;
};

/** The widths of a spec's encoded rows. */
export function layoutOf(spec: Spec): Layout {
  let numberWidth = 0;
  let categoryCount = 0;
  for (const feature of Object.values(spec.features)) {
    if (feature.type === 'category') categoryCount += 1;
    else numberWidth += feature.type === 'vector' ? feature.length : 1;
  }
  return { numberWidth, categoryCount };
}

/** The encoder of a spec. It never throws on a sample: what cannot be learnt is refused with field and reason. */
export function createEncoder(spec: Spec): Encoder {
  const layout = layoutOf(spec);
  const columns = featureColumns(spec, layout);
  const names = new Set(columns.map((column) => column.name));
  const readLabel = labelReader(spec);

  const encodeRow = (sample: unknown, into: EncodedSamples, row: number): Problem | undefined => {
    if (!isRecord(sample)) return { field: 'sample', reason: `must be an object (found ${show(sample)})` };
    for (const key of Object.keys(sample)) {
      if (key !== 'features' && key !== 'label' && key !== 'weight') {
        return { field: key, reason: 'unknown field; allowed: features, label, weight' };
      }
    }
    const { features, label, weight = 1 } = sample;
    if (!isRecord(features))
      return { field: 'features', reason: `must be an object (found ${show(features)})` };
    for (const key of Object.keys(features)) {
      if (!names.has(key)) {
        return { field: `features.${key}`, reason: `unknown feature; allowed: ${[...names].join(', ')}` };
      }
    }
    for (const column of columns) {
      const value = Object.hasOwn(features, column.name) ? features[column.name] : undefined;
      const reason = value === undefined ? 'missing' : column.write(value, into, row);
      if (reason !== undefined) return { field: `features.${column.name}`, reason };
    }
    const encodedLabel = readLabel(label);
    if (typeof encodedLabel === 'string') return { field: 'label', reason: encodedLabel };
    into.labels[row] = encodedLabel;
    if (typeof weight !== 'number' || !(weight > 0) || !isFloat32(weight)) {
      return { field: 'weight', reason: `must be a finite number above 0 (found ${show(weight)})` };
    }
    into.weights[row] = weight;
    return undefined;
  };

  return {
    layout,
    encode(samples) {
      const encoded = allocateSamples(samples.length, layout);
      const accepted: number[] = [];
      const refused: Refusal[] = [];
      for (let index = 0; index < samples.length; index++) {
        const problem = encodeRow(samples[index], encoded, index);
        if (problem === undefined) accepted.push(index);
        else refused.push({ index, ...problem });
      }
      return {
        samples: refused.length === 0 ? encoded : gatherSamples(encoded, accepted, layout),
        accepted: Int32Array.from(accepted),
        refused,
      };
    },
  };
}

function featureColumns(spec: Spec, layout: Layout): Column[] {
  let numberOffset = 0;
  let categoryOffset = 0;
  return Object.entries(spec.features).map(([name, feature]) => {
    if (feature.type === 'category') return categoryColumn(name, feature, categoryOffset++, layout);
    const offset = numberOffset;
    numberOffset += feature.type === 'vector' ? feature.length : 1;
    return feature.type === 'vector'
      ? vectorColumn(name, feature.length, offset, layout)
      : numberColumn(name, offset, layout);
  });
}

function numberColumn(name: string, offset: number, { numberWidth }: Layout): Column {
  return {
    name,
    write(value, into, row) {
      if (!isFloat32(value)) return `must be a finite number (found ${show(value)})`;
      into.numbers[row * numberWidth + offset] = value;
      return undefined;
    },
  };
}

function vectorColumn(name: string, length: number, offset: number, { numberWidth }: Layout): Column {
  return {
    name,
    write(value, into, row) {
      if (!Array.isArray(value) || value.length !== length) {
        return `must be a list of ${length} finite numbers (found ${Array.isArray(value) ? `${value.length} elements` : show(value)})`;
      }
      const wrong = value.findIndex((element) => !isFloat32(element));
      if (wrong >= 0) return `element ${wrong} must be a finite number (found ${show(value[wrong])})`;
      into.numbers.set(value, row * numberWidth + offset);
      return undefined;
    },
  };
}

type Category = Extract<Feature, { type: 'category' }>;

function categoryColumn(name: string, feature: Category, offset: number, { categoryCount }: Layout): Column {
  const known = new Map(feature.values?.map((value, index) => [value, index + 1]));
  const buckets = vocabularySize(feature);
  return {
    name,
    write(value, into, row) {
      const text = categoryText(value);
      if (text === undefined) return `must be a text, an integer or a boolean (found ${show(value)})`;
      into.categories[row * categoryCount + offset] =
        feature.values === undefined ? hashText(text) % buckets : (known.get(text) ?? 0);
      return undefined;
    },
  };
}

function categoryText(value: unknown): string | undefined {
  if (typeof value === 'string')
    return value.length > 0 && value.length <= limits.categoryCharacters ? value : undefined;
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
  return undefined;
}

/** Reads a label: the number it is encoded as, or the reason why it cannot be. */
function labelReader(spec: Spec): (label: unknown) => number | string {
  if (spec.task === 'regression') {
    return (label) => (isFloat32(label) ? label : `must be a finite number (found ${show(label)})`);
  }
  if (spec.task === 'binary') {
    return (label) => {
      if (label === true || label === 1) return 1;
      if (label === false || label === 0) return 0;
      return `must be true or false (found ${show(label)})`;
    };
  }
  const classes = spec.label.classes ?? [];
  const indices = new Map(classes.map((name, index) => [name, index]));
  return (label) => {
    const text = categoryText(label);
    const index = text === undefined ? undefined : indices.get(text);
    return index ?? `unknown class ${show(label)}; allowed: ${show(classes)}`;
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a value is a number that stays finite when rounded to float32 (3.5e38 does not). */
function isFloat32(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(Math.fround(value));
}
