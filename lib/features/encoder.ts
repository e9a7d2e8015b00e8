import { isRecord, show } from '../parse.ts';
import { type Accepted, accepted, type RefusalCode, refuse } from '../refusal.ts';
import type { Samples } from './cell-table.ts';
import { columnsOf, type Declaration, layoutOf } from './columns.ts';
import { featuresWriter, writtenFeatures } from './features-writer.ts';
import { hashOfClass } from './hash.ts';
import { labelReader } from './label.ts';
import { isDefaultLabel } from './sample-id.ts';
import {
  type Fields,
  fieldOfOutput,
  labelWriter,
  lateWeightField,
  lateWeightsOf,
  type RefusedField,
  shownField,
  type WriteSample,
  weightWriter,
  writeId,
} from './sample-parts.ts';
import { SampleTable } from './sample-table.ts';
import {
  allocateSamples,
  concatSamples,
  type EncodedSamples,
  gatherSamples,
  type Layout,
  rowsWithin,
} from './samples.ts';
import { tableWriter } from './table-writer.ts';

/**
 * Why one sample cannot be learnt. `index` is its place in the message or dataset; −1 stands for
 * all of it.
 */
export type Refusal = {
  readonly index: number;
  readonly field: string;
  /** Absent in what releases before 0.2 wrote. */
  readonly code?: RefusalCode | undefined;
  readonly reason: string;
};

/**
 * A sample as it is sent: features by name, a label, and a weight (1 unless given). Whoever asked
 * for a prediction under an id may send the id instead of the features.
 */
export type Sample = {
  readonly features: Readonly<Record<string, unknown>>;
  readonly label: unknown;
  readonly weight?: number;
  readonly id?: string | number;
  /** Beside an id: no label came for it in time, and `label` is taken in its place. */
  readonly default?: true;
  /** In a journal: how much more it weighs, since it came after its default was learnt. */
  readonly lateWeight?: number;
};

/**
 * The result of encoding a list of raw samples: those that can be learnt, with their places in the
 * list, and the reasons why the others cannot.
 */
export type Encoding = {
  readonly samples: EncodedSamples;
  readonly accepted: Int32Array;
  readonly refused: readonly Refusal[];
  /** By feature, how many of the accepted samples have a value that the spec does not know. */
  readonly unknown: Readonly<Record<string, number>>;
};

/**
 * Turns raw samples into numbers; made once for each spec. It never throws on a sample, but refuses
 * it.
 */
export type Encoder = {
  readonly layout: Layout;
  /** What the label is called in refusals, or one of its outputs. */
  readonly labelField: (output: number) => string;
  /** @param beforeEach is called before each sample, and may throw to break it off */
  readonly encode: (samples: Samples, beforeEach?: () => void) => Encoding;
  /**
   * Encodes samples that are only predicted. They need no label; one that is present is ignored.
   */
  readonly encodeFeatures: (samples: Samples) => Encoding;
  /** The same of samples whose features are kept elsewhere: ids, labels and weights alone. */
  readonly encodeLabels: (samples: Samples) => Encoding;
};

const sampleFields = ['features', 'label', 'weight', 'id'];

/** The encoder of a spec. */
export function createEncoder(declaration: Declaration): Encoder {
  const layout = layoutOf(declaration);
  const written = writtenFeatures(declaration);
  const writeFeatures = featuresWriter(declaration, written);
  const writeLabel = labelWriter(declaration);
  const writeWeight = weightWriter(declaration);
  const countUnknown = unknownCounter(declaration);
  const { nameOf } = labelReader(declaration);
  const writeTable = tableWriter(declaration, written);

  const encodeWith = (
    samples: Samples,
    parts: readonly WriteSample[],
    beforeEach: () => void = () => undefined,
  ): Encoding => {
    const accepted = new Int32Array(samples.length);
    let kept = 0;
    const refused: Refusal[] = [];
    const names = nameOf && parts.includes(writeLabel) ? new Map<number, string>() : undefined;
    const addName = (name = '') => names?.set(hashOfClass(name), name);
    const blocks: EncodedSamples[] = [];
    // Only what is accepted takes memory: rows may be wide, and samples that are none may be many.
    const most = rowsWithin(samples.length, layout);
    const isWhole = parts.includes(writeFeatures) && parts.includes(writeLabel);
    for (let start = 0; start < samples.length; start += most) {
      const count = Math.min(most, samples.length - start);
      const block = allocateSamples(count, layout);
      const before = kept;
      const table = isWhole
        ? writeTable?.(samples, { start, count }, block, beforeEach)
        : undefined;
      for (let row = 0; row < count; row++) {
        if (table?.left[row] === 0) {
          accepted[kept++] = start + row;
          if (names) addName(table.nameAt(row));
          continue;
        }
        if (table === undefined) beforeEach();
        const sample = samples.at(start + row);
        const written = writeAll(parts, sample, block, row);
        if (written.ok) {
          accepted[kept++] = start + row;
          if (names) addName(nameOf?.(isRecord(sample) ? sample.label : undefined));
        } else refused.push({ index: start + row, ...refusalOf(written) });
      }
      const rowsKept = () => accepted.subarray(before, kept).map((each) => each - start);
      blocks.push(kept - before === count ? block : gatherSamples(block, rowsKept(), layout));
    }
    const joined = joinedBlocks(blocks, layout);
    const own = accepted.slice(0, kept);
    const isList = !samples.column && !(samples instanceof SampleTable);
    const late = isList && parts.includes(writeWeight) && lateWeightsOf(samples, own);
    return {
      samples: { ...joined, ...(names && { names }), ...(late && { lateWeights: late }) },
      accepted: own,
      refused,
      unknown: countUnknown(joined),
    };
  };
  const { outputs } = declaration.label;
  return {
    layout,
    labelField: (output) => fieldOfOutput(outputs?.[output]),
    encode: (samples, beforeEach) =>
      encodeWith(samples, [writeFeatures, writeLabel, writeWeight], beforeEach),
    encodeFeatures: (samples) => encodeWith(samples, [writeFeatures]),
    encodeLabels: (samples) => encodeWith(samples, [writeId, writeLabel, writeWeight]),
  };
}

function joinedBlocks(blocks: readonly EncodedSamples[], layout: Layout): EncodedSamples {
  const [only = allocateSamples(0, layout)] = blocks;
  return blocks.length > 1 ? concatSamples(blocks, layout) : only;
}

function refusalOf({ field, code, reason }: RefusedField): Omit<Refusal, 'index'> {
  return { field, code, reason };
}

function writeAll(
  parts: readonly WriteSample[],
  sample: unknown,
  into: EncodedSamples,
  row: number,
): Accepted | RefusedField {
  if (!isRecord(sample)) {
    return {
      ...refuse('wrong-type', `must be an object (found ${show(sample)})`),
      field: 'sample',
    };
  }
  for (const key of Object.keys(sample)) {
    if (sampleFields.includes(key)) continue;
    const reason = problemOfField(sample, key);
    if (reason === undefined) continue;
    return { ...refuse('unknown-field', reason), field: shownField(key) };
  }
  for (const write of parts) {
    const written = write(sample, into, row);
    if (!written.ok) return written;
  }
  return accepted;
}

/** Why a sample may not have a field that not every sample may; undefined if it may. */
function problemOfField(sample: Fields, key: string): string | undefined {
  const hasId = Object.hasOwn(sample, 'id');
  if (key === lateWeightField && hasId) return undefined;
  if (key !== 'default') return `unknown field; allowed: ${sampleFields.join(', ')}, default`;
  const { default: mark } = sample;
  if (mark === false || mark === null || (hasId && isDefaultLabel(sample))) return undefined;
  return `must be true, beside an id (found ${show(mark)})`;
}

/** The sum of two counts by name. */
export function addCounts(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>> = {},
): Readonly<Record<string, number>> {
  const sum = new Map(Object.entries(a));
  for (const [name, count] of Object.entries(b)) sum.set(name, (sum.get(name) ?? 0) + count);
  return Object.fromEntries(sum);
}

/** Counts, by feature, the values that its spec does not know. */
function unknownCounter(declaration: Declaration) {
  const counted = columnsOf(declaration).flatMap(({ name, offsets, behaviour }) =>
    behaviour.unknownIndex === undefined
      ? []
      : [{ name, offset: offsets.categoryOffset, index: behaviour.unknownIndex }],
  );
  const { categoryCount } = layoutOf(declaration);
  return ({ count, categories }: EncodedSamples): Record<string, number> => {
    const unknown: Record<string, number> = {};
    for (const { name, offset, index } of counted) {
      let found = 0;
      for (let row = 0; row < count; row++)
        if (categories[row * categoryCount + offset] === index) found += 1;
      if (found > 0) unknown[name] = found;
    }
    return unknown;
  };
}
