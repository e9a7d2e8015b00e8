import { countClasses } from './class-weights.ts';
import {
  inOrderOf,
  joinNames,
  type NamedClasses,
  namesOfClasses,
  placed,
  withClassesOf,
} from './classes.ts';
import { addLags, emptyLags, GrowingLags, mergeAllLags, writeLags } from './lags.ts';
import { type EncodedSamples, gatherSamples, type Layout, type OwnRows } from './samples.ts';
import { emptyStatistics, type FeatureStatistics, mergeStatistics } from './statistics.ts';
import {
  addTargets,
  emptyTargets,
  GrowingTargets,
  mergeTargets,
  writeTargetMean,
} from './target-means.ts';
import { withAllValuesOf } from './vocabularies.ts';
import { emptyVocabulary, GrowingVocabulary } from './vocabulary.ts';

/**
 * Samples in which columns that wait for what was learnt before have their values: mean labels,
 * earlier values and, of specs before revision 11, means in place of what is missing. The samples
 * themselves say nothing in them.
 */
export function derive(
  samples: EncodedSamples,
  statistics: FeatureStatistics,
  layout: Layout,
): EncodedSamples {
  const { targets = [], lags = [], filled = [] } = layout;
  const isPlain = targets.length === 0 && lags.length === 0 && filled.length === 0;
  if (samples.isDerived || isPlain) return samples;
  const own = { samples: derivable(samples), layout };
  targets.forEach((columns, i) => {
    const sums = statistics.targets?.[i] ?? emptyTargets(columns);
    for (let row = 0; row < samples.count; row++) writeTargetMean(columns, sums, own, row);
  });
  lags.forEach((columns, i) => {
    const history = statistics.lags?.[i] ?? emptyLags(columns);
    for (let row = 0; row < samples.count; row++) writeLags(columns, history, own, row);
  });
  for (let row = 0; row < samples.count; row++)
    for (const column of filled)
      fill(own, row * layout.numberWidth + column, statistics.mean[column] ?? 0);
  return own.samples;
}

/** A copy whose columns may be written. */
function derivable(samples: EncodedSamples): EncodedSamples {
  const raw = samples.raw.slice();
  const numbers = raw instanceof Float32Array ? raw : samples.numbers;
  return { ...samples, raw, numbers, isDerived: true };
}

function fill({ samples: { raw } }: OwnRows, place: number, mean: number): void {
  if (Number.isNaN(raw[place])) raw[place] = mean;
}

/** Statistics that know what some samples say to later ones, which they have counted otherwise. */
export function withHistoryOf(
  statistics: FeatureStatistics,
  samples: EncodedSamples,
  layout: Layout,
): FeatureStatistics {
  const { targets, lags } = layout;
  if (targets === undefined && lags === undefined) return statistics;
  return {
    ...statistics,
    ...(targets && {
      targets: targets.map((columns, i) =>
        addTargets(columns, statistics.targets?.[i] ?? emptyTargets(columns), samples, layout),
      ),
    }),
    ...(lags && {
      lags: lags.map((columns, i) =>
        addLags(columns, statistics.lags?.[i] ?? emptyLags(columns), samples, layout),
      ),
    }),
  };
}

/** What two stretches of samples say to later ones, the second behind the first. */
export function mergeWithHistory(
  layout: Layout,
  before: FeatureStatistics,
  own: FeatureStatistics,
): FeatureStatistics {
  const targets = layout.targets?.map((columns, i) =>
    mergeTargets(
      columns,
      before.targets?.[i] ?? emptyTargets(columns),
      own.targets?.[i] ?? emptyTargets(columns),
    ),
  );
  const lags = mergeAllLags(layout, before.lags, own.lags);
  const vocabularies = withAllValuesOf(layout, before.vocabularies, own.vocabularies);
  return {
    ...mergeStatistics(before, own, layout),
    ...mergeClasses(layout, before, own),
    ...(targets && { targets }),
    ...(lags && { lags }),
    ...(vocabularies && { vocabularies }),
  };
}

/** The classes of two stretches of samples, where they get places as they come. */
function mergeClasses(layout: Layout, before: Classes, own: Classes): Classes {
  const [first, second] = [before, own].map((each) => namesOfClasses(layout, each));
  if (first === undefined || second === undefined) return {};
  const classNames = joinNames(first, second);
  const moved = own.classes && inOrderOf(own.classes, second, classNames);
  const classes = moved?.map((weight, at) => weight + (before.classes?.[at] ?? 0));
  return { classNames, ...(classes && { classes }) };
}

/** Classes that have places, and how much each has weighed where that is counted. */
type Classes = Pick<FeatureStatistics, 'classNames' | 'classes'>;

function classesOf({ classNames, classes }: Classes): Classes {
  return { ...(classNames && { classNames }), ...(classes && { classes }) };
}

/** Classes that have weighed more by the rows of a dataset that are learnt. */
function countedAmong(
  known: Classes,
  rows: EncodedSamples,
  learnt: ArrayLike<number>,
  layout: Layout,
): Classes {
  if (layout.growingClasses === undefined || layout.countedClasses === undefined) return known;
  const added = countClasses(placed(gatherSamples(rows, learnt, layout), known, layout), layout);
  return { ...known, classes: added?.map((weight, at) => weight + (known.classes?.[at] ?? 0)) };
}

/** What statistics know of samples for the columns of later ones. */
type History = Pick<
  FeatureStatistics,
  'targets' | 'lags' | 'vocabularies' | 'classNames' | 'classes'
>;

/** Derives the columns of a dataset's rows as if they were a stream. */
export type OrderedDerivation = {
  /**
   * Rows whose derived columns say what the rows before them said, however they are cut.
   *
   * @param learnt which of them are learnt, in order: the others, held out, say nothing to later
   *   ones
   */
  readonly add: (rows: EncodedSamples, learnt: ArrayLike<number>) => EncodedSamples;
  /** What all learnt rows say to later ones. */
  readonly history: () => History;
  /** The classes that have places so far, where they get them as they come. */
  readonly classes: () => NamedClasses;
  /** What a derivation of later rows must know before them. */
  readonly known: () => FeatureStatistics;
};

/** A derivation of no rows so far. @param before what is known before them; nothing unless given */
export function deriveInOrder(
  layout: Layout,
  before: FeatureStatistics = emptyStatistics(layout),
): OrderedDerivation {
  const { targets = [], lags = [], filled = [], numberWidth } = layout;
  const histories = lags.map((columns, i) => ({
    columns,
    history: new GrowingLags(columns, before.lags?.[i] ?? emptyLags(columns)),
  }));
  const known = targets.map((columns, i) => ({
    columns,
    sums: new GrowingTargets(columns, before.targets?.[i] ?? emptyTargets(columns)),
  }));
  const vocabularies = (layout.vocabularies ?? []).map((columns, i) => ({
    offset: columns.categoryOffset,
    vocabulary: new GrowingVocabulary(
      columns,
      before.vocabularies?.[i] ?? emptyVocabulary(columns),
    ),
  }));
  let classes: Classes = before;
  const means = filled.map((column) => ({ column, mean: before.mean[column] ?? 0 }));
  let { count } = before;
  const historySoFar = (): History => ({
    ...(layout.growingClasses && classesOf(classes)),
    ...(layout.targets && { targets: known.map(({ sums }) => sums.now()) }),
    ...(layout.lags && { lags: histories.map(({ history }) => history.now()) }),
    ...(layout.vocabularies && {
      vocabularies: vocabularies.map(({ vocabulary }) => vocabulary.soFar()),
    }),
  });
  return {
    add(rows, learnt) {
      classes = countedAmong(withClassesOf(classes, rows, layout, learnt), rows, learnt, layout);
      if (!layout.targets && !layout.lags && !layout.filled && !layout.vocabularies) return rows;
      // (What a mean stands for is not known to later rows either.)
      const asTheyCame = { samples: rows, layout };
      const derived = { samples: derivable(rows), layout };
      let next = 0;
      for (let row = 0; row < rows.count; row++) {
        for (const each of known) writeTargetMean(each.columns, each.sums, derived, row);
        for (const { columns, history } of histories) writeLags(columns, history, derived, row);
        for (const { column, mean } of means) fill(derived, row * numberWidth + column, mean);
        if (learnt[next] !== row) continue;
        next += 1;
        count += 1;
        for (const { sums } of known) sums.add(derived, row);
        for (const { history } of histories) history.add(asTheyCame, row);
        for (const { offset, vocabulary } of vocabularies)
          vocabulary.add(rows.categories[row * layout.categoryCount + offset] ?? 0);
        for (const each of means) {
          const value = derived.samples.raw[row * numberWidth + each.column] ?? 0;
          each.mean += (value - each.mean) / count;
        }
      }
      return derived.samples;
    },
    history: historySoFar,
    classes: () => classes,
    known() {
      const empty = emptyStatistics(layout);
      const mean = empty.mean.slice();
      for (const each of means) mean[each.column] = each.mean;
      return { ...empty, count, mean, ...historySoFar() };
    },
  };
}
