import * as z from 'zod';
import type { CellWords } from '../features/cells.ts';
import { cellsOfSpec } from '../features/columns.ts';
import type { DeclaredClasses, Task } from '../features/task.ts';
import { limits } from '../limits.ts';
import { show, strictObject } from '../parse.ts';
import { expertsSchema, replaySchema } from './experts-schema.ts';
import { datasetName, fileNames } from './names.ts';
import { minibatch, rate, schedule } from './optimizer-schema.ts';

const driftSchema = strictObject({
  policy: z
    .enum(['alarm', 'forget', 'adapt'])
    .default('adapt')
    .describe(
      '`alarm` says so; `forget` besides lets statistics count as 50 samples, and replays no sample ' +
        'of before; `adapt` does that, and starts adagrad, ftrl and schedules anew (not those of ' +
        'adam and adamax)',
    ),
  raise: strictObject({
    factor: z.number().min(1).max(1_000).describe('what rates are multiplied by'),
    samples: z
      .int()
      .min(1)
      .max(1e9)
      .default(500)
      .describe('how long: messages that begin before so many samples after the change'),
  })
    .optional()
    .describe('higher rates for a while after a change'),
  confidence: z
    .number()
    .min(1e-9)
    .max(0.5)
    .default(0.002)
    .describe('the δ of ADWIN: how easily chance is taken for a change'),
  pageHinkley: strictObject({
    threshold: z
      .number()
      .positive()
      .max(1e6)
      .default(20)
      .describe('λ: how far losses, from 0 to 1 each, may rise above their mean, summed up'),
    tolerance: z
      .number()
      .min(0)
      .max(1)
      .default(0.02)
      .describe('δ: how far above the mean a loss says nothing'),
  })
    .optional()
    .describe('the test of Page and Hinkley decides, instead of ADWIN'),
  job: strictObject({
    dataset: datasetName.default('journal').describe('what it learns; `journal`: all that arrived'),
    files: fileNames
      .optional()
      .describe('which files of the dataset; `*` stands for any characters'),
    start: z
      .enum(['champion', 'fresh'])
      .default('champion')
      .describe('with which weights it begins: those in use, or new ones'),
  })
    .optional()
    .describe('a batch job that is started once the stream has changed, one a day at most'),
});

/** What is learnt of questions whose labels do not come. */
const labelWindowSchema = strictObject({
  hours: z
    .number()
    .positive()
    .max(limits.labelWindowHours)
    .describe('how long a label is waited for, from when its question was asked'),
  default: z
    .union([z.boolean(), z.string().min(1).max(limits.categoryCharacters)])
    .describe('the label that is learnt then: false or true, or the name of a class'),
});

/** What is wrong with the default label of a spec. */
export function problemsOfLabelWindow(spec: {
  readonly task: Task;
  readonly label: DeclaredClasses;
  readonly cells?: CellWords | undefined;
  readonly online: { readonly labelWindow?: { readonly default: boolean | string } | undefined };
}): readonly string[] {
  const { labelWindow } = spec.online;
  if (labelWindow === undefined) return [];
  const label = labelWindow.default;
  if (spec.task === 'regression')
    return ['is of classes: a number that stands for another would be learnt beside it'];
  if (spec.task === 'binary')
    return typeof label === 'boolean'
      ? []
      : [`its default must be true or false (found ${show(label)})`];
  const { classes = [], maxClasses } = spec.label;
  if (typeof label !== 'string' || (maxClasses === undefined && !classes.includes(label)))
    return [`its default must be one of the classes (found ${show(label)})`];
  if (classes.includes(label) || !cellsOfSpec(spec).isMissing(label)) return [];
  return [
    `its default is a word for a missing label (found ${show(label)}); name it in label.classes`,
  ];
}

/** `online`: how a model learns its stream. */
export const onlineSchema = strictObject({
  minibatch: minibatch.default(32).describe('samples of a gradient step; a declaration says 4'),
  passes: z
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe(
      'how often the samples of a message are learnt, one pass after another; 1 unless given',
    ),
  rate: rate.optional().describe("the learning rate; the optimizer's unless given"),
  schedule,
  publishEvery: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe(
      'write the state after every so many journal entries; unless given after each, and a state ' +
        'of several MiB after as many, at most 100',
    ),
  labelWindow: labelWindowSchema
    .optional()
    .describe(
      'questions whose labels have not come by then are learnt with a default; a label that comes ' +
        'after all weighs more instead. Without it, nothing is learnt of them',
    ),
  replay: replaySchema.optional().describe('old samples are learnt again beside new ones'),
  drift: driftSchema
    .optional()
    .describe('what is done where the stream changes, so that it is predicted worse than before'),
  experts: expertsSchema
    .optional()
    .describe(
      'learners side by side, in batch too: all learn, and what they predict is mixed by what ' +
        'they have earned. `default` is a set for those who do not want to tune',
    ),
});
