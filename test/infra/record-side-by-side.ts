import { keys } from '../../lib/bucket/keys.ts';
import { runSoFar } from '../../lib/operations/stretch-outcomes.ts';
import { runTrial, startSweep, sweepSoFar } from '../../lib/operations/sweep.ts';
import { startVerification, verifyStretch } from '../../lib/operations/verify-stretches.ts';
import { graphCache } from '../../lib/ports/graph-cache.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import type { Spec } from '../../lib/spec/spec.ts';
import { modelOf, ticket } from '../support/world.ts';

/** The ports of a world, over which what somebody asks for is written down. */
export type As = (role: string) => Ports;

/** What a compiled model is kept under. */
export const cacheName: string = 'a'.repeat(64);

/** Each stretch in two invocations, the first of which is out of time. */
export async function verify(as: As, model: string): Promise<void> {
  const [operator, folding] = [as('Operator'), as('verify-stretch')];
  const { run, stretches, ...others } = await startVerification(operator, await modelOf(operator));
  for (const stretch of [...stretches, undefined])
    for (const secondsLeft of [0, 100])
      await verifyStretch(folding, { model, run, ...(stretch && { stretch }) }, () => secondsLeft);
  await runSoFar(operator.store, { run, stretches, ...others });
  const { store, log } = folding;
  await graphCache(store, log).get(cacheName);
}

/** Two specs over a dataset, each trained in some invocations. */
export async function sweep(as: As, spec: Spec): Promise<void> {
  const { model } = spec;
  const [operator, trying] = [as('Operator'), as('run-trial')];
  const other = { name: 'other', spec: { ...spec, optimizer: { ...spec.optimizer, rate: 0.1 } } };
  const rows = Array.from({ length: 60 }, (_, i) => ticket(i));
  const text = rows.map(({ features, label }) => JSON.stringify({ ...features, label })).join('\n');
  await operator.store.put(`${keys.dataset('tried')}rows.jsonl`, Buffer.from(text));
  const settings = { dataset: 'tried', candidates: [other] };
  const started = await startSweep(operator, model, settings);
  const { run } = started;
  const trials = [1, 2].map((trial) => ({ trial, dataset: 'tried' }));
  for (const trial of trials)
    while (!(await runTrial(trying, { model, run, trial }, () => 100)).isDone);
  await runTrial(trying, { model, run }, () => 100);
  await sweepSoFar(operator.store, started);
  // Weights that a model was given are those of its specs, too.
  await trying.store.get(keys.initialWeights(cacheName));
}
