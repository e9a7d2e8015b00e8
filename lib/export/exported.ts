import { cellsOfSpec, columnsOf, layoutOf } from '../features/columns.ts';
import { emptyLags, usualLag } from '../features/lags.ts';
import {
  type ColumnScales,
  columnScales,
  type LabelScale,
  labelScaleOf,
} from '../features/scaling.ts';
import { allTargetMeans, emptyTargets } from '../features/target-means.ts';
import { valuesOf } from '../features/vocabulary.ts';
import type { Model } from '../model/model.ts';
import { buildNetwork } from '../network/build-network.ts';
import { layerPartOf } from '../network/weight-names.ts';
import type { State } from '../state/state.ts';

/** A feature as an exported network takes it in: raw, one input each, [rows, width]. */
export type ExportedFeature = {
  readonly name: string;
  /** What its input is called where a name may not be any text. */
  readonly layer: string;
  /** The first of its columns among the encoded numbers, or categories, of a row. */
  readonly offset: number;
  readonly width: number;
} & (
  | ({
      readonly kind: 'numbers';
      /** Of mean labels: a bucket comes in, and its row of this, [rows, width], is the numbers. */
      readonly table?: Float64Array;
      /** Of earlier values: what stands for one that is not known. */
      readonly unknown?: number;
      /** What the networks see that forget, by their view. */
      readonly views: readonly ColumnScales[];
    } & ColumnScales)
  | {
      readonly kind: 'category';
      /** Its known values: the first has the index 1, and 0 stands for all others. */
      readonly values?: readonly string[];
      /** Where its values are not known: how many indices a text's hash may have. */
      readonly buckets?: number;
      /** The hashes of values that have a place now: from index 1; 0 stands for others. */
      readonly hashes?: readonly number[];
    }
);

/** Whether an index comes in for a feature, and no numbers. */
export function takesIndex(feature: ExportedFeature): boolean {
  return feature.kind === 'category' || feature.table !== undefined;
}

/** A model at one state, ready to be written into files. */
export type Exported = {
  readonly model: Model;
  readonly state: State;
  readonly features: readonly ExportedFeature[];
  /** How the network's values become labels; undefined where labels are not standardised. */
  readonly labelScale: LabelScale | undefined;
};

/** What the answer is called where it needs a name: none of a feature. */
export function predictionName({ features }: Pick<Exported, 'features'>): string {
  const names = new Set(features.map(({ name }) => name));
  let name = 'prediction';
  while (names.has(name)) name = `${name}_`;
  return name;
}

/** What a feature is made of that samples before said, by the first of its columns. */
function historyOf({ encoder: { layout } }: Model, { statistics }: State, offset: number) {
  const { targets = [], lags = [] } = layout;
  const isOwn = ({ numberOffset }: { readonly numberOffset: number }) => numberOffset === offset;
  const [target, lag] = [targets.find(isOwn), lags.find(isOwn)];
  if (target !== undefined) {
    const sums = statistics.targets?.[targets.indexOf(target)] ?? emptyTargets(target);
    return { table: allTargetMeans(target, sums) };
  }
  if (lag === undefined) return {};
  const { total } = statistics.lags?.[lags.indexOf(lag)] ?? emptyLags(lag);
  return { unknown: usualLag(lag, total) };
}

/** The values of a feature's vocabulary by their hashes, unsigned; undefined where it has none. */
function hashesOf({ encoder: { layout } }: Model, { statistics }: State, feature: string) {
  const place = layout.vocabularies?.findIndex(({ name }) => name === feature) ?? -1;
  if (place < 0) return undefined;
  const vocabulary = statistics.vocabularies?.[place];
  return Array.from(vocabulary ? valuesOf(vocabulary) : [], (hash) => hash >>> 0);
}

/**
 * What is exported of a model: features that its network does not use are left out. Mean labels are
 * those at the state; whoever asks says what earlier values were.
 */
export async function exportedOf(model: Model, trained: State): Promise<Exported> {
  const state = { ...trained, ...model.compiled.answering?.(trained) };
  const { inputs, layersModel } = await buildNetwork(model.spec);
  layersModel.dispose();
  const isUsed = ({ kind, offset }: ExportedFeature) =>
    inputs.some(
      (input) =>
        input.kind === kind && offset >= input.offset && offset < input.offset + input.width,
    );
  const { spec, encoder, scaling } = model;
  const isExact = layoutOf(spec).isExact === true;
  const scales = [undefined, ...scaling.views].map((view) =>
    columnScales(state.statistics, scaling, isExact, view),
  );
  const cells = cellsOfSpec(spec);
  const features = columnsOf(spec).map(({ name, offsets, behaviour }): ExportedFeature => {
    const { width } = behaviour;
    const declared = spec.features[name];
    if (width.numbers === 0) {
      const { values } = declared?.type === 'category' ? declared : {};
      const said = declared && 'buckets' in declared ? declared.buckets : undefined;
      const buckets = typeof said === 'number' ? said : undefined;
      const hashes = hashesOf(model, state, name);
      return {
        name,
        layer: layerPartOf(name),
        kind: 'category',
        offset: offsets.categoryOffset,
        width: width.categories,
        // As the model reads them: True is true, and 7.0 is 7.
        ...(values && { values: values.map((value) => cells.text(value) ?? value) }),
        ...(buckets !== undefined && { buckets }),
        ...(hashes && { hashes }),
      };
    }
    const offset = offsets.numberOffset;
    const own = (values: Float64Array) => values.slice(offset, offset + width.numbers);
    const history = historyOf(model, state, offset);
    const { unknown = 0 } = history;
    const [usual, ...views] = scales.map(({ mean, scale, most, standIn }) => ({
      mean: own(mean).map((each) => each + unknown),
      scale: own(scale),
      most: own(most),
      standIn: own(standIn),
    }));
    if (usual === undefined) throw new Error(`${name} has no scale`);
    return {
      name,
      layer: layerPartOf(name),
      kind: 'numbers',
      offset,
      width: width.numbers,
      ...usual,
      views,
      ...history,
    };
  });
  const labelScale = labelScaleOf(state.statistics, encoder.layout);
  return { model, state, features: withLayers(features.filter(isUsed)), labelScale };
}

/** Features whose layers differ, and are called as Keras, TensorFlow and tfjs want it. */
function withLayers(features: readonly ExportedFeature[]): readonly ExportedFeature[] {
  const taken = new Set(features.map(({ layer }) => layer));
  return features.map((feature) => {
    if (!/^[-_]/.test(feature.layer) && !(feature.layer in {})) return feature;
    let layer = `feature${feature.layer.replace(/^(?![-_])/, '_')}`;
    while (taken.has(layer)) layer = `${layer}_`;
    taken.add(layer);
    return { ...feature, layer };
  });
}

/** The mean and the deviation of each output. */
export function scaleVectors(scale: LabelScale | undefined) {
  const outputs = scale?.outputs ?? [];
  return {
    means: Float64Array.from(outputs, ({ mean }) => mean),
    deviations: Float64Array.from(outputs, ({ deviation }) => deviation),
  };
}

/** How a feature of numbers is scaled for a network that sees a view of it. */
export function scalesUnder(
  feature: Extract<ExportedFeature, { kind: 'numbers' }>,
  view = -1,
): ColumnScales {
  return feature.views[view] ?? feature;
}
