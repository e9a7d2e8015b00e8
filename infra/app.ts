import { App, Stack, TimeZone } from 'aws-cdk-lib';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import * as z from 'zod';
import { parse, parseJson } from '../lib/parse.ts';
import { Millrace } from './millrace.ts';

/** A scheduled job as `cdk.json` has it; the construct checks its values. */
const schedules = z.array(
  z
    .looseObject({
      model: z.string(),
      dataset: z.string(),
      schedule: z.string(),
      timeZone: z.string().optional(),
    })
    .transform(({ schedule, timeZone, ...job }) => ({
      ...job,
      schedule: ScheduleExpression.expression(
        schedule,
        timeZone === undefined ? undefined : TimeZone.of(timeZone),
      ),
    })),
);

const app = new App();
const name = 'millrace:schedules';
const context = app.node.tryGetContext(name) ?? [];
const stack = new Stack(app, 'Millrace', {
  description: 'Millrace: trains neural networks without servers',
});
new Millrace(stack, 'Millrace', {
  // From the command line it comes as a text.
  schedules: parse(
    schedules,
    typeof context === 'string' ? parseJson(context, name) : context,
    name,
  ),
});
app.synth();
