import type { Command } from 'commander';
import { type AddCommand, textOf } from './call.ts';
import { filesOption, flag, text } from './program.ts';

// Loaded once a command is called: help and mistakes are answered at once.
const training = () => import('./train.ts');

/** Declares the commands of datasets and batch jobs. */
export function declareTrainingCommands(program: Command, add: AddCommand): void {
  const datasets = program.command('dataset').description('datasets for batch jobs');
  add(
    {
      usage: 'put <name> <files...>',
      summary: 'put files into a dataset; those that are there already are passed over',
      examples: [
        ['millrace dataset put sales-2026 january.csv february.csv', 'in parts, if large'],
      ],
    },
    async ({ io, address: { bucket }, environment, args: [name = '', ...paths] }) =>
      (await training()).putFiles(io, { bucket, environment }, name, paths),
    datasets,
  );
  add(
    {
      usage: 'ls',
      summary: 'list the datasets',
      examples: [['millrace dataset ls', 'files and sizes']],
    },
    async ({ io }) => (await training()).listDatasets(io),
    datasets,
  );
  add(
    {
      usage: 'show <name>',
      summary: 'say what is in the columns of a dataset',
      options: [filesOption()],
      examples: [['millrace dataset show sales-2026', 'counts, missing values, histograms']],
    },
    async ({ io, args: [name = ''], options: { files } }) =>
      (await import('./show-dataset.ts')).showColumns(io, name, textOf(files)),
    datasets,
  );
  add(
    {
      usage: 'check <name>',
      summary: 'say what a job of a model would refuse, and why, before it runs',
      options: [
        text('--model <name>', 'the model that would learn it').makeOptionMandatory(),
        filesOption(),
      ],
      examples: [
        ['millrace dataset check sales-2026 --model sales', 'status 1 if a job would fail'],
      ],
    },
    async ({ io, args: [name = ''], options: { model, files } }) =>
      (await training()).check(io, name, { model: textOf(model) ?? '', files: textOf(files) }),
    datasets,
  );
  add(
    {
      usage: 'rm <name> [files...]',
      summary: 'remove files of a dataset, or all of it; what was learnt of them stays',
      examples: [
        ['millrace dataset rm sales-2026 --dry-run', 'says how much would go'],
        ["millrace dataset rm sales-2026 'january*'", '* stands for any characters'],
      ],
      asks: true,
    },
    async ({ io, args: [dataset = '', ...files] }) =>
      (await import('./remove.ts')).removeDataset(io, { dataset, files }),
    datasets,
  );
  declareJobCommands(add);
}

function declareJobCommands(add: AddCommand): void {
  add(
    {
      usage: 'train <model> <dataset>',
      summary: 'start a batch job over a dataset, or over the journal',
      options: [
        text('--job <id>', "the job's id; dataset and time unless given"),
        filesOption(),
        flag('--fresh', 'begin with new weights instead of those in use'),
        flag('--watch', 'show it to its end; status 1 if it fails'),
      ],
      examples: [
        ['millrace train sales sales-2026 --watch', 'shows epochs and losses'],
        ['millrace train sales journal --fresh', 'learns all that arrived anew'],
      ],
    },
    async ({ io, args: [model = '', dataset = ''], options: { job, files, fresh, watch } }) =>
      (await training()).train(
        io,
        { model, dataset },
        { job: textOf(job), files: textOf(files), fresh: fresh === true, watch: watch === true },
      ),
  );
  add(
    {
      usage: 'jobs <model>',
      summary: 'list the batch jobs of a model, and how each ended',
      examples: [['millrace jobs sales', 'promoted, kept-champion, failed: and why']],
    },
    async ({ io, args: [model = ''] }) => (await training()).listJobs(io, model),
  );
}
