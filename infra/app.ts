import { App, Stack } from 'aws-cdk-lib';
import { parseJson } from '../lib/parse.ts';
import { Millrace } from './millrace.ts';

const app = new App();
const context = app.node.tryGetContext('millrace:schedules') ?? [];
const stack = new Stack(app, 'Millrace', {
  description: 'Millrace: trains neural networks without servers',
});
new Millrace(stack, 'Millrace', {
  // From the command line it comes as a text. The construct checks it.
  schedules: typeof context === 'string' ? parseJson(context, 'millrace:schedules') : context,
});
app.synth();
