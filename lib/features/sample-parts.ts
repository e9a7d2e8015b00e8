import { limits } from '../limits.ts';
import { inOneLine, isRecord, show } from '../parse.ts';
import { type Accepted, accepted, type Refused, refuse } from '../refusal.ts';
import type { Items } from './cell-table.ts';
import { isFloat32 } from './cells.ts';
import { cellsOfSpec, type Declaration } from './columns.ts';
import { labelReader, missingText } from './label.ts';
import { noSampleId, readSampleId } from './sample-id.ts';
import type { EncodedSamples } from './samples.ts';

/** The column of samples' weights, where no feature and no label has it. */
export const weightColumn = 'weight';

/** What the online update writes beside the id of a label that came after its default. */
export const lateWeightField = 'lateWeight';

/** Writes a part of a sample into a row, or says which field is wrong. */
export type WriteSample = (
  sample: Fields,
  into: EncodedSamples,
  row: number,
) => Accepted | RefusedField;
/** A refusal of a field. */
export type RefusedField = Refused & { readonly field: string };
/** The fields of a sample. */
export type Fields = Readonly<Record<string, unknown>>;

/** Writes the label. */
export function labelWriter(declaration: Declaration): WriteSample {
  const cells = cellsOfSpec(declaration);
  const reader = labelReader(declaration);
  const isWord = (label: unknown) => typeof label === 'string' && label.trim() !== '';
  const grows = declaration.label.maxClasses !== undefined;
  const hint = (label: unknown) =>
    grows && isWord(label) ? '; a class of that name is declared in label.classes' : '';
  return ({ label }, { labels }, row) => {
    if (label !== undefined && cells.isMissing(label) && !reader.knows(label))
      return { ...refuse('missing', missingText(label) + hint(label)), field: 'label' };
    const written = reader.write(label, labels, row);
    return written.ok ? written : { ...written, field: fieldOfOutput(written.output) };
  };
}

/** How a field is called in refusals, whatever its sender called it. */
export function shownField(name: string): string {
  return inOneLine(name.slice(0, limits.fieldCharacters));
}

/** What the label is called in refusals, or one of its outputs. */
export function fieldOfOutput(output?: string): string {
  return output === undefined ? 'label' : `label.${shownField(output)}`;
}

/** An id says what features are meant; no row has it. */
export function writeId({ id }: Fields): Accepted | RefusedField {
  if (readSampleId(id) !== undefined) return accepted;
  return { ...noSampleId(id), field: 'id' };
}

/** Writes the weight. */
export function weightWriter(declaration: Declaration): WriteSample {
  const cells = cellsOfSpec(declaration);
  const most = (declaration.revision ?? 0) >= 8 ? limits.sampleWeight : Number.POSITIVE_INFINITY;
  return ({ weight: cell }, { weights }, row) => {
    const weight = cells.isMissing(cell) ? 1 : cell;
    const value = cells.number(weight);
    // In float32, as the loss sees it: 1e-60 is 0 there.
    if (!isFloat32(value) || !(Math.fround(value) > 0)) {
      const largest = Number.isFinite(most) ? most : '3.4e38';
      const reason = `must be a number above 0, of 1.2e-38 to ${largest} (found ${show(weight)})`;
      return { ...refuse('not-finite', reason), field: 'weight' };
    }
    if (value > most) {
      const reason =
        `must be at most ${most} (found ${show(weight)}); only how weights compare matters, so ` +
        'make all of them smaller';
      return { ...refuse('outlier', reason), field: 'weight' };
    }
    weights[row] = value;
    return accepted;
  };
}

/** How much more the samples at some places weigh; undefined where none does. */
export function lateWeightsOf(
  samples: Items<unknown>,
  accepted: Int32Array,
): Float32Array | undefined {
  const weightOf = (index: number) => {
    const sample = samples.at(index);
    return isRecord(sample) ? sample[lateWeightField] : undefined;
  };
  if (accepted.every((index) => weightOf(index) === undefined)) return undefined;
  return Float32Array.from(accepted, (index) => Number(weightOf(index) ?? 1));
}
