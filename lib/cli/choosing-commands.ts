import { invalid } from '../errors.ts';
import { type AddCommand, numberOf, textOf, textsOf } from './call.ts';
import { patienceOf } from './patience.ts';
import { filesOption, flag, text, texts, whole } from './program.ts';

/** Declares the commands that try other specs, and put one in force. */
export function declareChoosingCommands(add: AddCommand): void {
  add(
    {
      usage: 'backtest <model>',
      summary: 'learn the journal again by other specs, and say what each would have earned',
      options: [
        texts('--spec <file>', 'a spec to try; may be given several times'),
        texts('--grid <path=values>', "values to try in the model's own spec; several are crossed"),
        whole('--from <entry>', 'the first entry; 1 unless given', 1),
        whole('--to <entry>', 'the last entry; the latest unless given', 1),
        whole('--seeds <count>', 'seeds of each spec, and how far they differ; 1 unless given', 1),
        flag('--frozen', "the last batch job's weights: as they learnt on, and frozen"),
      ],
      examples: [
        ['millrace backtest sales --grid online.minibatch=1,32', 'three lines: as it is, and both'],
        ['millrace backtest sales --spec other.json --seeds 3', 'beside the model as it is'],
        ['millrace backtest sales --frozen', 'what learning online has been worth'],
      ],
    },
    async ({ io, args: [model = ''], options }) =>
      (await import('./backtest.ts')).runBacktest(io, model, {
        specs: textsOf(options.spec),
        grid: textsOf(options.grid),
        from: numberOf(options.from),
        to: numberOf(options.to),
        seeds: numberOf(options.seeds),
        isFrozen: options.frozen === true,
      }),
  );
  declareCrossValidation(add);
  declareSweep(add);
  add(
    {
      usage: 'spec <model> [file]',
      summary: 'show the spec of a model, or change it; the stream loses nothing',
      options: [
        flag(
          '--relearn',
          "learn the journal anew, with today's defaults, where weights could stay",
        ),
        flag('--no-wait', 'do not wait until it is done'),
      ],
      examples: [
        ['millrace spec sales > changed.json', 'begin with the one that holds'],
        ['millrace spec sales changed.json', 'says what both would have earned, and asks'],
      ],
      asks: true,
    },
    async ({ io, args: [model = '', path], options }) => {
      if (path === undefined && (options.relearn === true || options.yes === true))
        throw invalid('millrace spec: name the file of the spec that is to hold');
      return (await import('./spec.ts')).spec(
        io,
        model,
        { path, isRelearnt: options.relearn === true },
        patienceOf(options),
      );
    },
  );
}

function declareSweep(add: AddCommand): void {
  add(
    {
      usage: 'sweep <model> <dataset>',
      summary: 'train by several specs side by side, and rank them by held-out rows',
      options: [
        texts('--spec <file>', 'a spec to try; may be given several times'),
        texts('--grid <path=values>', "values to try in the model's own spec; several are crossed"),
        filesOption(),
        text('--out <file>', 'where to write the best spec'),
      ],
      examples: [
        ['millrace sweep sales sales-2026 --grid batch.epochs=5,20', 'three jobs; nothing changes'],
        ['millrace sweep sales sales-2026 --spec other.json --out best.json', 'keeps the better'],
      ],
    },
    async ({ io, args: [model = '', dataset = ''], options }) =>
      (await import('./sweep.ts')).runSweep(io, {
        model,
        dataset,
        files: textOf(options.files),
        specs: textsOf(options.spec),
        grid: textsOf(options.grid),
        out: textOf(options.out),
      }),
  );
}

function declareCrossValidation(add: AddCommand): void {
  add(
    {
      usage: 'kfold <model> <dataset>',
      summary: 'train once without each fold of a dataset, and judge by it; nothing changes',
      options: [
        whole('--folds <count>', 'into how many folds rows are drawn; 5 unless given', 2),
        filesOption(),
        text('--spec <file>', 'by this spec; by the one that holds unless given'),
      ],
      examples: [
        ['millrace kfold sales sales-2026', 'a line for each fold, their mean and spread'],
      ],
    },
    async ({ io, args: [model = '', dataset = ''], options: { folds, files, spec } }) =>
      (await import('./cross-validate.ts')).runCrossValidation(io, {
        model,
        dataset,
        folds: numberOf(folds) ?? 5,
        files: textOf(files),
        spec: textOf(spec),
      }),
  );
}
