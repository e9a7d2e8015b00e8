import * as z from 'zod';
import { invariant } from '../errors.ts';
import { addCounts } from '../features/encoder.ts';
import { withoutOutliers } from '../features/outliers.ts';
import { samplesAt } from '../features/sample-json.ts';
import { rowsWithin } from '../features/samples.ts';
import { withoutSurplus } from '../features/surplus.ts';
import { countWithoutRow } from '../features/vocabularies.ts';
import { limits } from '../limits.ts';
import { earningsAfter } from '../metrics/earnings.ts';
import { meanLoss } from '../metrics/scores.ts';
import { type Learned, learn } from '../model/learn.ts';
import { learnMost } from '../model/learn-most.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Spec } from '../spec/spec.ts';
import type { State } from '../state/state.ts';
import { type Command, rejected, type SampleList } from './command.ts';
import { commonHeader } from './header.ts';
import { withAsked } from './late-labels.ts';
import { withLateWeights } from './late-weights.ts';
import { samplesBody } from './sent-samples.ts';

const header = z.strictObject({ kind: z.literal('samples'), ...commonHeader });

/**
 * Samples: the weights learn them in the order in which they came. Those that cannot be learnt are
 * refused.
 */
export const samples: Command<z.output<typeof samplesBody>, z.output<typeof header>> = {
  body: samplesBody,
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
    const [encoding = encoded] = withoutOutliers(model.encoder, [encoded], statistics);
    const unlearnt = encoding.refused.filter(({ index }) => !late.settled.has(index));
    const refused = unlearnt.map((refusal) => ({
      ...refusal,
      ...badLine(list.unreadable?.get(refusal.index)),
      ...late.refused.get(refusal.index),
      sample: list.samples.at(refusal.index),
    }));
    if (encoding.accepted.length === 0) return { learnt: [], refused };
    const { learned, places, diverged } = await learnMost(model, state, encoding.samples);
    const undone = [...diverged].map(([place, { code, reason }]) => {
      const index = encoding.accepted[place] ?? -1;
      const sample = list.samples.at(index);
      return { index, field: 'samples', code, reason: `its effect was undone: ${reason}`, sample };
    });
    const all = [...refused, ...undone].sort((a, b) => a.index - b.index);
    if (!learned.ok || places.length === 0) return { learnt: [], refused: all };
    const { vocabularies } = learned.parameters.statistics;
    const indexes = places.map((place) => encoding.accepted[place] ?? -1);
    return {
      learnt: samplesAt(complete, indexes),
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
