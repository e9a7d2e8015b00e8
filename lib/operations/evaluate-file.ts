import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ByteSource } from '../datasets/byte-source.ts';
import { readSamples } from '../datasets/read-samples.ts';
import { fieldInFile } from '../datasets/to-sample.ts';
import { noPlace, placed } from '../features/classes.ts';
import { labelScaleOf } from '../features/scaling.ts';
import { createFigures, type Figures } from '../metrics/figures.ts';
import { createLabelRivals } from '../metrics/label-rivals.ts';
import type { LabelRivals } from '../metrics/rival-sums.ts';
import { type Predictor, predict } from '../model/predict.ts';
import type { Parameters } from '../state/state.ts';

/** How a model does on labelled samples. */
export type Evaluation = Figures &
  LabelRivals & {
    readonly samples: number;
    /** Samples that could not be read or encoded. */
    readonly refused: number;
    /** Samples of classes that the model does not know yet: none of them is predicted rightly. */
    readonly unknownClasses?: number;
    /** Why the first of them was. */
    readonly firstRefusal?: string;
    /** Columns that the spec names and the file has not. */
    readonly absent?: readonly string[];
  };

/** Predicts a file's labelled samples, and holds the predictions against the labels. */
export async function evaluateFile(
  model: Predictor,
  parameters: Parameters,
  file: { readonly name: string; readonly bytes: ByteSource },
  onSamples: (samples: number) => void = () => undefined,
): Promise<Evaluation> {
  const { spec } = model;
  const { layout } = model.encoder;
  const { statistics } = parameters;
  const figures = createFigures(spec, statistics.classNames);
  const known = labelScaleOf(statistics, layout)?.outputs.map(({ mean }) => mean);
  const rivals = createLabelRivals(spec, known);
  let refused = 0;
  let unknownClasses = 0;
  let firstRefusal: string | undefined;
  let absent: readonly string[] | undefined;
  for await (const { rows, samples, bad, placeOf, absent: lacking } of readSamples(spec, file)) {
    if (rows.length > 0) absent ??= lacking();
    const encoding = model.encoder.encode(samples);
    const [one] = encoding.refused;
    if (one)
      firstRefusal ??= `line ${placeOf(one.index).line}, ${fieldInFile(spec, one.field)}: ${one.reason}`;
    if (bad[0]) firstRefusal ??= `line ${bad[0].line}: ${bad[0].reason}`;
    refused += encoding.refused.length + bad.length;
    const encoded = placed(encoding.samples, statistics, layout);
    if (layout.growingClasses !== undefined)
      unknownClasses += encoded.labels.filter((label) => label === noPlace).length;
    const predictions = await predict(model, parameters, encoded);
    figures.add(predictions, encoded);
    rivals.add(encoded);
    onSamples(figures.samples());
    // Nothing is waited for here; whoever wants to stop must be heard.
    await nextTurn();
  }
  return {
    samples: figures.samples(),
    refused,
    ...(unknownClasses === 0 ? {} : { unknownClasses }),
    ...(firstRefusal === undefined ? {} : { firstRefusal }),
    ...(absent === undefined || absent.length === 0 ? {} : { absent }),
    ...figures.finish(),
    ...rivals.finish(),
  };
}
