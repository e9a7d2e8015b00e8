import * as z from 'zod';
import { count } from './io.ts';
import { columns, figure, formatCount, wrapped } from './progress.ts';

const loss = z.number().nullish();

const settledSchema = z.object({
  message: z.literal('settled'),
  model: z.string(),
  sequence: z.int().optional(),
  messages: z.int(),
  samples: z.int(),
  refused: z.int(),
  loss,
  /** What the entries did beside learning samples: `rollback to 3`. */
  commands: z.array(z.string()).default([]),
  stream: z.object({ loss, baseline: loss }).optional(),
  milliseconds: z.number(),
});

const sliceSchema = z.object({
  message: z.literal('slice done'),
  model: z.string(),
  job: z.string(),
  slice: z.int(),
  status: z.string(),
  reason: z.string().optional(),
  epoch: z.int(),
  loss: loss,
  heldOutLoss: loss,
  milliseconds: z.number(),
});

const defaultsSchema = z.object({
  message: z.literal('defaults sent'),
  model: z.string(),
  labels: z.int(),
  milliseconds: z.number(),
});

/** What a function logs that it did, in a line for people; undefined for anything else. */
export function lineOf(logged: unknown): string | undefined {
  const settled = settledSchema.safeParse(logged).data;
  if (settled !== undefined && settled.messages > 0) {
    const { model, sequence, messages, samples, refused, stream, milliseconds } = settled;
    const parts = [
      `${model}: entry ${sequence ?? '–'}`,
      count(messages, 'message'),
      count(samples, 'sample'),
      ...(refused > 0 ? [`${formatCount(refused)} refused`] : []),
      ...settled.commands,
      ...(samples > 0 ? [`loss ${figure(settled.loss)}`] : []),
    ];
    const soFar = stream === undefined ? [] : [`so far ${figure(stream.loss)}`];
    const end = `${formatCount(milliseconds)} ms`;
    const line = [...parts, ...soFar, end].join('  ');
    return line.length <= columns ? line : [...parts, end].join('  ');
  }
  const defaults = defaultsSchema.safeParse(logged).data;
  if (defaults !== undefined) {
    const { model, labels, milliseconds } = defaults;
    const sent = `${count(labels, 'default label')} sent`;
    return [`${model}:`, sent, `${formatCount(milliseconds)} ms`].join('  ');
  }
  const slice = sliceSchema.safeParse(logged).data;
  if (slice === undefined) return undefined;
  const { model, job, status, reason, epoch, heldOutLoss, milliseconds } = slice;
  return (
    [
      `${model}: job ${job}`,
      status,
      `epoch ${epoch}`,
      `loss ${figure(heldOutLoss ?? slice.loss)}`,
      `${formatCount(milliseconds)} ms`,
    ].join('  ') + (reason === undefined ? '' : `\n${wrapped(reason).join('\n')}`)
  );
}
