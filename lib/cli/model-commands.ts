import { Option } from 'commander';
import { exportFormats } from '../export/formats/format.ts';
import { type AddCommand, numberOf, textOf } from './call.ts';
import { flag, text, whole } from './program.ts';

// A command's own modules are loaded once it is called: help and mistakes are answered at once.
const models = () => import('./models.ts');
const files = () => import('./files.ts');

/** Declares the commands that create and show models. */
export function declareModelCommands(add: AddCommand): void {
  add(
    {
      usage: 'create <spec>',
      summary: 'create the model that a file declares',
      examples: [['millrace create spec.json', 'the same file again changes nothing']],
    },
    async ({ io, args: [spec = ''] }) => (await models()).create(io, spec),
  );
  add(
    {
      usage: 'ls',
      summary: 'list the models',
      examples: [['millrace ls', 'each with its loss beside that of the labels alone']],
    },
    async ({ io }) => (await models()).list(io),
  );
  add(
    {
      usage: 'show <model>',
      summary: 'show a model: what it is, how it does, its last entries and jobs',
      options: [whole('--entries <count>', 'how many entries; 5 unless given', 0)],
      examples: [['millrace show sales', 'the loss of the stream, entries, jobs']],
    },
    async ({ io, args: [model = ''], options }) =>
      (await models()).showModel(io, model, numberOf(options.entries) ?? 5),
  );
  add(
    {
      usage: 'rm <model>',
      summary: 'remove a model and all that it has learnt; a deployed stack refuses it',
      examples: [['millrace rm sales --dry-run', 'says how much would go']],
      asks: true,
    },
    async ({ io, args: [model = ''] }) => (await import('./remove.ts')).remove(io, model),
  );
}

/** Declares the command that shows a model live. */
export function declareWatchCommand(add: AddCommand): void {
  add(
    {
      usage: 'watch <model>',
      summary: 'show live how a model learns, until Ctrl-C',
      options: [whole('--seconds <count>', 'stop after so many', 1)],
      examples: [
        ['millrace watch sales', 'losses beside the baseline, rate, jobs'],
        ['millrace watch sales --json', 'each new entry as a line of JSON'],
      ],
    },
    async ({ io, environment, args: [model = ''], options: { seconds, json } }) => {
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      const isScreen = process.stdout.isTTY && json !== true;
      return (await import('./watch.ts')).watch(io, model, {
        seconds: numberOf(seconds),
        screen: isScreen ? process.stdout : undefined,
        logs: (await import('./logs.ts')).linesSince(environment),
        signal: stop.signal,
      });
    },
  );
}

/** Declares the commands that teach a model, and ask it. */
export function declareSampleCommands(add: AddCommand): void {
  declareSend(add);
  add(
    {
      usage: 'predict <model> <file>',
      summary: "predict a file's rows with the newest state; - is what is piped in",
      options: [
        text('--out <file>', 'where to write; the output unless given'),
        new Option('--format <format>', "the input's unless given").choices(['csv', 'jsonl']),
        text('--id <column>', 'keep each row under its id, until its label is sent'),
      ],
      examples: [
        ['millrace predict sales tomorrow.csv', "beside the input's columns"],
        ['millrace predict sales tomorrow.parquet --out predicted.csv', 'into a file'],
        ['millrace predict sales tomorrow.csv --json', 'lines of JSON'],
        ['millrace predict sales open.csv --id order', 'labels come later: send --id order'],
      ],
    },
    async ({ io, args: [model = '', file = ''], options: { out, format, json, id } }) =>
      (await import('./predict.ts')).predict(io, model, file, {
        out: textOf(out),
        format: json === true ? 'jsonl' : textOf(format),
        idColumn: textOf(id),
      }),
  );
  add(
    {
      usage: 'evaluate <model> [file]',
      summary: "hold predictions against a file's labels, or the stream's latest",
      options: [whole('--last <samples>', 'of the stream, each predicted before it was learnt', 1)],
      examples: [
        ['millrace evaluate sales december.csv', 'loss, errors or accuracy, confusion'],
        ['millrace evaluate sales --last 1000', 'the same of the latest samples that were learnt'],
      ],
    },
    async ({ io, args: [model = '', path], options: { last } }) =>
      (await files()).evaluate(io, model, { path, last: numberOf(last) }),
  );
}

function declareSend(add: AddCommand): void {
  add(
    {
      usage: 'send <model> <file>',
      summary: "send a file's rows as samples, in order; - is what is piped in",
      options: [
        whole('--rate <count>', 'samples a second; as fast as it goes unless given', 1),
        whole(
          '--per-message <count>',
          'samples of a message; unless given a fiftieth of the file, from 20 to 500',
          1,
        ),
        text('--id <column>', 'the rows are labels of what was asked under these ids'),
        flag('--follow', 'go on with what is written behind it, until Ctrl-C')
          .conflicts('rate')
          .conflicts('id'),
        new Option('--from <place>', 'where to begin with a file; it is followed, as by --follow')
          .choices(['start', 'sent', 'end'])
          .implies({ follow: true }),
      ],
      examples: [
        [
          'millrace send sales today.csv',
          'harmless to repeat; status 1 if a row is not sent, or most not learnt',
        ],
        ['cat today.jsonl | millrace send sales -', 'rows, or samples with features and label'],
        ['millrace send sales log.jsonl --follow', 'each line once, also over restarts'],
        ['millrace send sales sold.csv --id order', 'labels, after predict --id order'],
      ],
    },
    async ({
      io,
      args: [model = '', file = ''],
      options: { rate, perMessage, follow, from, id },
    }) =>
      follow === true
        ? (await import('./follow.ts')).follow(io, model, file, {
            samplesPerMessage: numberOf(perMessage),
            begin: textOf(from),
          })
        : (await files()).send(io, model, file, {
            rate: numberOf(rate),
            perMessage: numberOf(perMessage),
            idColumn: textOf(id),
          }),
  );
}

/** Declares the commands that take a model away, and bring one in. */
export function declareExchangeCommands(add: AddCommand): void {
  add(
    {
      usage: 'import <spec> <weights>',
      summary: 'create a model that starts from weights: of tfjs, Keras, or safetensors',
      examples: [
        ['millrace import spec.json sales-safetensors/model.safetensors', 'an export goes on'],
        ['millrace import spec.json model.json', 'without a network, the spec takes that of tfjs'],
        ['millrace import spec.json model.h5', 'or of Keras'],
      ],
    },
    async ({ io, args: [spec = '', weights = ''] }) =>
      (await import('./import.ts')).importInto(io, spec, weights),
  );
  add(
    {
      usage: 'export <model>',
      summary: 'write a model into files for browsers, ONNX Runtime, Python or Keras',
      options: [
        new Option('--format <format>', 'of the files')
          .choices([...exportFormats])
          .makeOptionMandatory(),
        text('--out <folder>', '<model>-<format> unless given'),
      ],
      examples: [
        ['millrace export sales --format onnx', 'model.onnx, and a card that says how to use it'],
        ['millrace export sales --format tfjs --out public', 'for tf.loadLayersModel()'],
      ],
    },
    async ({ io, args: [model = ''], options: { format, out } }) =>
      (await import('./export.ts')).exportInto(io, model, {
        format: exportFormats.find((each) => each === format) ?? 'tfjs',
        out: textOf(out),
      }),
  );
}
