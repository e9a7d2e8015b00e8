import * as z from 'zod';
import { invariant } from '../errors.ts';
import { addCounts } from '../features/encoder.ts';
import { withoutOutliers } from '../features/outliers.ts';
import { jsonOfSamples, knowJsonOf } from '../features/sample-json.ts';
import { rowsWithin } from '../features/samples.ts';
import { withoutSurplus } from '../features/surplus.ts';
import { countWithoutRow } from '../features/vocabularies.ts';
import { limits } from '../limits.ts';
import { earningsAfter } from '../metrics/earnings.ts';
import { meanLoss } from '../metrics/scores.ts';
import { type Learned, learn } from '../model/learn.ts';
import { learnMost } from '../model/learn-most.ts';
import { isRecord, strictObject } from '../parse.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Spec } from '../spec/spec.ts';
import type { State } from '../state/state.ts';
import { type Command, rejected, type SampleList } from './command.ts';
import { commonHeader } from './header.ts';
import { withAsked } from './late-labels.ts';
import { withLateWeights } from './late-weights.ts';
import { numbering } from './numbering.ts';

const sampleList = z
  .array(z.unknown())
  .min(1, 'must hold at least one sample')
  .max(limits.messageSamples, `at most ${limits.messageSamples} samples`);

const sampleObject = z
  .string()
  .regex(
    /^s3:\/\/[^/]+\/datasets\/.+$/,
    'must be a list, or an object below s3://<bucket>/datasets/',
  );

const sentSamples = z.union([sampleList, sampleObject], {
  error: 'must be a list of samples, or an object below s3://<bucket>/datasets/',
});

/** `labels` is another name for samples that have ids instead of features. */
const body = z.preprocess(
  (sent, context) => {
    if (!isRecord(sent) || sent.labels === undefined) return sent;
    const { labels, ...rest } = sent;
    const refuseLabels = (message: string) =>
      context.addIssue({ code: 'custom', path: ['labels'], message });
    if (rest.samples !== undefined) {
      refuseLabels('is another name for samples; send all in one of them');
      return rest;
    }
    const checked = sentSamples.safeParse(labels);
    for (const { message } of checked.error?.issues ?? []) refuseLabels(message);
    return { ...rest, samples: labels };
  },
  // (A dead letter's number is for `millrace redrive` alone.)
  strictObject({ ...numbering, samples: sentSamples }, ['producer', 'seq', 'samples', 'labels']),
);
const header = z.strictObject({ kind: z.literal('samples'), ...commonHeader });

/**
 * Samples: the weights learn them in the order in which they came. Those that cannot be learnt are
 * refused.
 */
export const samples: Command<z.output<typeof body>, z.output<typeof header>> = {
  body,
  header,
  sharesEntry: true,
  weights: 'learnt',

  async decide(reach, state, { samples: sent }) {
    const { model, sampleObject: read } = reach;
    const list: SampleList | Refused =
      typeof sent === 'string' ? await read(sent) : { ok: true, samples: sent };
    if (!list.ok) return rejected('samples', list);
    const { layout } = model.encoder;
    const most = rowsWithin(Number.POSITIVE_INFINITY, layout, limits.encodedBytes);
    if (list.samples.length > most) {
      const reason =
        `has ${list.samples.length} samples, of which ${most} fit into memory as numbers; ` +
        'send fewer in a message';
      return rejected('samples', refuse('too-large', reason));
    }
    const late = await withAsked(reach, list.samples);
    const complete = await withLateWeights(model, state, late.samples, late.overruled);
    const { statistics } = state;
    const encoded = withoutSurplus(layout, model.encoder.encode(complete), statistics);
    const encoding = withoutOutliers(model.encoder, encoded, statistics);
    const unlearnt = encoding.refused.filter(({ index }) => !late.settled.has(index));
    const refused = unlearnt.map((refusal) => ({
      ...refusal,
      ...badLine(list.unreadable?.get(refusal.index)),
      ...late.refused.get(refusal.index),
      sample: list.samples[refusal.index],
    }));
    if (encoding.accepted.length === 0) return { learnt: [], refused };
    const { learned, places, diverged } = await learnMost(model, state, encoding.samples);
    const undone = [...diverged].map(([place, { code, reason }]) => {
      const index = encoding.accepted[place] ?? -1;
      const sample = list.samples[index];
      return { index, field: 'samples', code, reason: `its effect was undone: ${reason}`, sample };
    });
    const all = [...refused, ...undone].sort((a, b) => a.index - b.index);
    if (!learned.ok || places.length === 0) return { learnt: [], refused: all };
    const { vocabularies } = learned.parameters.statistics;
    const indexes = places.map((place) => encoding.accepted[place] ?? -1);
    const learnt = indexes.map((index) => complete[index]);
    if (complete === list.samples) {
      const texts = jsonOfSamples(list.samples);
      knowJsonOf(
        learnt,
        indexes.map((index) => texts[index] ?? ''),
      );
    }
    return {
      learnt,
      refused: all,
      state: afterMessage(model.spec, state, learned),
      loss: meanLoss(learned.scores),
      unknown: addCounts(encoding.unknown, countWithoutRow(learned.samples, vocabularies, layout)),
    };
  },

  async evolve({ model }, settled, { header: { sequence }, samples: messages }) {
    let state = settled;
    for (const own of messages) {
      if (own.length === 0) continue;
      const { samples: encoded, refused } = model.encoder.encode(own);
      invariant(refused.length === 0, `entry ${sequence} holds a sample that cannot be learnt`);
      const learned = await learn(model, state, encoded);
      invariant(learned.ok, `entry ${sequence} holds a message that cannot be learnt`);
      state = afterMessage(model.spec, state, learned);
    }
    return state;
  },
};

/** What a refusal says of a line that is no JSON, instead of what the encoder finds. */
function badLine(reason: string | undefined) {
  return reason === undefined ? undefined : { code: 'bad-row' as const, field: 'row', reason };
}

/** The state with one more message learnt; the ledger changes with the whole entry. */
export function afterMessage(
  spec: Spec,
  state: State,
  learned: Extract<Learned, { ok: true }>,
): State {
  return {
    ...state,
    ...learned.parameters,
    ...earningsAfter(spec, state, learned),
    learnt: state.learnt + learned.samples.count,
  };
}
