import type { PreparedDataset } from '../datasets/manifest.ts';
import { invalid } from '../errors.ts';
import { weighed } from '../features/class-weights.ts';
import { placed } from '../features/classes.ts';
import type { EncodedSamples, Floats } from '../features/samples.ts';
import { bestConstant } from '../metrics/best-constant.ts';
import { type Figures, figuresOf, finiteFigures } from '../metrics/figures.ts';
import { chooseExperts } from '../model/held-out-experts.ts';
import type { Model } from '../model/model.ts';
import { predict } from '../model/predict.ts';
import { listNames } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import type { Parameters, State } from '../state/state.ts';
import type { Place } from './lane.ts';
import { latestOfStream } from './stream-window.ts';

/**
 * The mean losses of champion and challenger on the same samples; a set that is empty is left out.
 */
export type Comparison = NonNullable<Place['comparison']>;

/**
 * The weights that are compared, and rows that the challenger has not learnt. The champion has,
 * where they came with its stream.
 */
export type Rivals = {
  readonly champion: State;
  readonly challenger: Parameters;
  /** Whether the challenger's first weights had learnt some of them, too. */
  readonly isHeldOutKnown?: boolean | undefined;
  readonly heldOut: EncodedSamples;
};

/**
 * Challenger against champion: on the held-out rows, and on the latest samples of the stream, which
 * both have learnt.
 *
 * @throws MillraceError kind `invalid` if a loss of the challenger is not finite
 */
export async function compareChampion(
  ports: Ports,
  model: Model,
  { champion, challenger, isHeldOutKnown, heldOut }: Rivals,
): Promise<Comparison> {
  const stream = await latestOfStream(ports, model, champion);
  const lossesOn = async (
    rows: EncodedSamples,
    where: string,
    predictOwn: Predicting = predict,
  ) => {
    const { layout } = model.encoder;
    const { statistics } = challenger;
    const own = placed(rows, statistics, layout);
    const samples = weighed(own, model.spec, statistics);
    // Classes may stand at other places in each of them.
    const figuresBy = async (parameters: Parameters, predictBy: Predicting = predict) => {
      const { labels } = placed(rows, parameters.statistics, layout);
      const predictions = await predictBy(model, parameters, own);
      const names = parameters.statistics.classNames;
      return figuresOf(model.spec, predictions, { ...samples, labels }, names);
    };
    const figures = await figuresBy(challenger, predictOwn);
    const loss = figures.loss;
    if (!Number.isFinite(loss)) throw invalid(`the loss on ${where} is not finite after training`);
    const others = await figuresBy(champion);
    const other = others.loss;
    const baseline = samples.count < enoughSamples ? 0 : bestConstant(model.spec, samples).loss;
    return {
      champion: Number.isFinite(other) ? other : null,
      challenger: loss,
      // Labels that are all alike say nothing of a model.
      ...(baseline > 0 ? { baseline } : {}),
      figures: {
        ...(Number.isFinite(other) ? { champion: storedFigures(others) } : {}),
        challenger: storedFigures(figures),
      },
    };
  };
  // (Experts were chosen by them.)
  const unchosen: Predicting = async (...rows) =>
    (await chooseExperts(...rows, isHeldOutKnown)).predictions;
  return {
    ...(heldOut.count > 0
      ? { heldOut: await lossesOn(heldOut, 'the held-out rows', unchosen) }
      : {}),
    ...(stream.count > 0 ? { stream: await lossesOn(stream, 'the latest of the stream') } : {}),
  };
}

type Predicting = (
  model: Model,
  parameters: Parameters,
  samples: EncodedSamples,
) => Promise<Floats>;

/** The confusion of many classes says little, and is large. */
function storedFigures({ confusion, ...figures }: Figures): Figures {
  const isShort = confusion !== undefined && confusion.classes.length <= confusedClasses;
  return finiteFigures(isShort ? { ...figures, confusion } : figures);
}

const confusedClasses = 20;

/** Samples that tell a model from a constant. */
const enoughSamples = 50;

/**
 * Why a challenger is not to replace the champion; undefined if it is better by the margin wherever
 * it was compared, and no worse than a constant.
 *
 * @param streamed samples of the stream that the champion has learnt
 */
export function objectionTo(
  comparison: Comparison,
  margin: number,
  streamed: number,
): string | undefined {
  const compared = Object.entries(places).flatMap(([name, place]) => {
    const losses = comparison[name as keyof Comparison];
    return losses === undefined ? [] : [{ ...losses, place }];
  });
  if (compared.length === 0) {
    return 'there is nothing to compare it on: no held-out rows (spec.batch.validation) and no stream';
  }
  const figure = (loss: number) => Number(loss.toPrecision(6));
  const { heldOut } = comparison;
  const isBetterHeldOut =
    heldOut !== undefined && heldOut.challenger < (heldOut.champion ?? Number.POSITIVE_INFINITY);
  const newer =
    isBetterHeldOut && streamed > 0
      ? '; on the held-out rows it is better: if those came after the stream, send them to it'
      : '';
  for (const { champion, challenger, baseline = Number.POSITIVE_INFINITY, place } of compared) {
    const mayKnow = place === places.heldOut && streamed > 0;
    const own = `${place} its loss of ${figure(challenger)}`;
    const hint = place === places.stream ? newer : '';
    if (challenger > baseline)
      return `${own} is higher than that of a constant (${figure(baseline)})${hint}`;
    if (champion !== null && challenger >= champion - margin)
      return (
        `${own} is not lower than the champion's (${figure(champion)})` +
        (margin > 0 ? ` by ${margin}` : '') +
        (mayKnow
          ? `; that has learnt ${streamed.toLocaleString('en-US')} samples of the stream: if these rows were among ` +
            'them, it knew them, and rows that came later compare better (batch.validation)'
          : hint)
      );
  }
  return undefined;
}

/** Where weights are compared. */
const places = {
  heldOut: 'on the held-out rows',
  stream: 'on the latest of the stream',
} satisfies Record<keyof Comparison, string>;

/** Why weights that have seen no row of a class are not put in place unseen. */
export function objectionToClasses({ refusedClasses }: PreparedDataset): string | undefined {
  if (refusedClasses.length === 0) return undefined;
  const classes = listNames(refusedClasses);
  return `rows were refused, and none of class ${classes} was learnt; see the job's quarantine`;
}
