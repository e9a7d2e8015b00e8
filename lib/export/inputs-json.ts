import { greatestFloat32 } from '../arithmetic.ts';
import { classNames } from '../features/class-weights.ts';
import { cellsOfSpec } from '../features/columns.ts';
import { hasIndicator } from '../features/kinds/indicator.ts';
import { timestampBehaviour } from '../features/kinds/timestamp.ts';
import { allocateSamples } from '../features/samples.ts';
import { type ColumnScales, predictionRanges } from '../features/scaling.ts';
import { answerWeightsOf } from '../model/answer-weights.ts';
import { layerPartOf } from '../network/weight-names.ts';
import type { Spec } from '../spec/spec.ts';
import type { Exported, ExportedFeature } from './exported.ts';

/** What a program needs in order to ask: `inputs.json`. */
export function inputsJson({ model, state, features, labelScale }: Exported): string {
  const { spec, name } = model;
  const inputs = features.map((feature) => ({
    name: feature.name,
    ...layerJson(feature.name),
    type: spec.features[feature.name]?.type,
    ...takenFrom(spec, feature),
    width: feature.width,
    ...missingJson(spec, feature),
    ...(meansOf(spec, feature) !== undefined && { missingIsMean: true }),
    // Its last number says what was missing.
    ...(isIndicated(spec, feature) && { indicator: true }),
    ...(feature.kind === 'numbers'
      ? { ...scaleJson(feature), ...viewsJson(spec, feature, feature.views) }
      : { values: feature.values, buckets: feature.buckets, hashes: feature.hashes }),
  }));
  const own = classNames(spec, state.statistics);
  const classes = spec.task === 'multiclass' ? own : undefined;
  const { maxClasses, outputs } = spec.label;
  const answerWeights = answerWeightsOf(spec, state.statistics);
  const ranges = predictionRanges(state.statistics, labelScale);
  const scales = labelScale?.outputs.map((scale, output) => {
    const [least, greatest] = ranges[output] ?? [];
    return { ...scale, least, greatest };
  });
  const label = {
    name: spec.label.name,
    task: spec.task,
    classes,
    maxClasses,
    ...(answerWeights && { answerWeights: [...answerWeights] }),
    ...(outputs === undefined
      ? scales?.[0]
      : { outputs: outputs.map((name, output) => ({ name, ...scales?.[output] })) }),
  };
  const description = { model: name, sequence: state.sequence, inputs, label };
  return `${JSON.stringify(description, undefined, 2)}\n`;
}

/** What stands for a name among those of tensors, where that is not itself. */
function layerJson(name: string) {
  const layer = layerPartOf(name);
  return layer === name ? {} : { layer };
}

/** What an input is made of that is no value of a sample alone. */
function takenFrom({ features }: Spec, { name }: ExportedFeature) {
  const feature = features[name];
  if (feature?.type === 'cross') return { of: feature.of };
  if (feature?.type === 'targetMean') return { of: feature.of, buckets: feature.buckets };
  if (feature?.type === 'lag')
    return { steps: feature.steps, by: feature.by, ...sourceJson(features, feature.source) };
  if (feature?.type === 'image') return { image: { shape: feature.shape, scale: feature.scale } };
  if (feature?.type === 'timestamp') {
    const { parts, harmonics, zone } = feature;
    return { parts, ...(harmonics && { harmonics }), zone };
  }
  if (feature?.type === 'number')
    return { ...(feature.clip && { clip: feature.clip }), ...(feature.log && { log: true }) };
  if (feature?.type === 'text') {
    const { words, characters, log } = feature;
    return { words, characters, ...(log && { log }) };
  }
  return {};
}

/** What earlier values are, and what they go through before they come in. */
function sourceJson(features: Spec['features'], source: string | undefined) {
  const number = source === undefined ? undefined : features[source];
  if (number?.type !== 'number') return { source };
  return { source, sourceClip: number.clip, sourceLog: number.log };
}

/** How numbers are scaled, and the bounds of those that forget: one, or one for each number. */
function scaleJson({ mean, scale, most }: ColumnScales) {
  // JSON has no infinity; beyond float32 there is nothing to be bounded.
  const bounds = Array.from(most, (each) => Math.min(each, greatestFloat32));
  const [first = 0] = bounds;
  return {
    mean: [...mean],
    scale: [...scale],
    ...(most.some(Number.isFinite) && {
      most: bounds.every((each) => each === first) ? first : bounds,
    }),
  };
}

/** Networks that forget have means of their own. */
function viewsJson(spec: Spec, feature: ExportedFeature, views: readonly ColumnScales[]) {
  if (views.length === 0) return {};
  return {
    views: views.map((view) => {
      const missing = meansOf(spec, feature, view);
      return { ...scaleJson(view), ...(missing !== undefined && { missing }) };
    }),
  };
}

/** A feature of those kinds whose mean may stand for a missing value; undefined if of another. */
function ofMeans(feature: Spec['features'][string] | undefined) {
  const isOfKind =
    feature?.type === 'number' || feature?.type === 'vector' || feature?.type === 'timestamp';
  return isOfKind ? feature : undefined;
}

/** Whether one more number of a feature says that its value was missing. */
function isIndicated(spec: Spec, { name }: ExportedFeature): boolean {
  const feature = ofMeans(spec.features[name]);
  return feature !== undefined && hasIndicator(feature);
}

/**
 * What stands for a missing value of a feature, a list where that is of several numbers; undefined
 * if nothing does.
 */
export function missingOf(spec: Spec, exported: ExportedFeature): unknown {
  if (exported.kind === 'numbers' && exported.unknown !== undefined) return exported.unknown;
  const feature = spec.features[exported.name];
  const missing = feature !== undefined && 'missing' in feature ? feature.missing : undefined;
  return meansOf(spec, exported) ?? missing;
}

/** The same as numbers, of a time too. */
function missingJson(spec: Spec, exported: ExportedFeature) {
  const missing = missingOf(spec, exported);
  const declared = spec.features[exported.name];
  if (missing === undefined) return {};
  if (declared?.type !== 'timestamp' || typeof missing !== 'string') return { missing };
  const { width, writer } = timestampBehaviour(declared, cellsOfSpec(spec));
  const layout = { numberWidth: width.numbers, categoryCount: 0, isExact: true };
  const samples = allocateSamples(1, layout);
  writer({ numberOffset: 0, categoryOffset: 0, row: width })(missing, samples, 0);
  return { missing: width.numbers === 1 ? samples.raw[0] : [...samples.raw] };
}

/** The means that stand for missing values of a feature, where means do. */
function meansOf(
  spec: Spec,
  exported: ExportedFeature,
  view?: ColumnScales,
): number | readonly number[] | undefined {
  if (exported.kind !== 'numbers' || exported.unknown !== undefined) return undefined;
  if (ofMeans(spec.features[exported.name])?.missing !== 'mean') return undefined;
  const { standIn } = view ?? exported;
  const means = [...standIn.subarray(0, exported.width - Number(isIndicated(spec, exported)))];
  return means.length === 1 ? means[0] : means;
}
