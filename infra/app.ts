import { App, Stack } from 'aws-cdk-lib';
import { z } from 'zod';
import { parse, strictObject } from '../lib/parse.ts';
import { datasetName, modelName } from '../lib/spec/names.ts';
import { Millrace } from './millrace.ts';

const schedules = z.array(
  strictObject({
    model: modelName,
    dataset: datasetName,
    schedule: z.string().regex(/^(rate|cron)\(.+\)$/, 'must be rate(…) or cron(…)'),
    start: z.enum(['champion', 'fresh']).optional(),
  }),
);

const app = new App();
const context: unknown = app.node.tryGetContext('millrace:schedules') ?? [];
const stack = new Stack(app, 'Millrace', {
  description: 'Millrace: trains neural networks without servers',
});
new Millrace(stack, 'Millrace', {
  schedules: parse(
    schedules,
    typeof context === 'string' ? JSON.parse(context) : context,
    'millrace:schedules',
  ),
});
app.synth();
