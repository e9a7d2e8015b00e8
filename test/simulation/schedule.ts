import { reasonOf } from '../../lib/errors.ts';
import './plain-entries.ts';
import { keys } from '../../lib/bucket/keys.ts';
import type { Engine } from '../../lib/engine/engine.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { startAskers } from './askers.ts';
import { chainEngine } from './chain-engine.ts';
import { check, type Found } from './check.ts';
import { type Cloud, createCloud } from './cloud.ts';
import { createFaults, type FaultKind, faultKinds, type Strike } from './faults.ts';
import { startFunctions } from './functions.ts';
import { redrive } from './operators.ts';
import type { QueueSettings } from './queue.ts';
import { createRandom, type Random } from './random.ts';
import { startSenders } from './senders.ts';
import { smallLimits } from './small-limits.ts';
import { startSpecChanges } from './spec-changes.ts';
import { createTimeline } from './timeline.ts';

/** What a schedule does beside its seed. */
export type ScheduleOptions = {
  /** Faults that may strike; all of them unless given. */
  readonly kinds?: ReadonlySet<FaultKind>;
  /** The strikes that happen; all of them unless given. */
  readonly kept?: readonly Strike[];
  readonly keepsEvents?: boolean;
  readonly engine?: Engine;
};

/** What became of a schedule. */
export type Outcome = {
  readonly seed: number;
  readonly faults: readonly Strike[];
  readonly hash: string;
  readonly events: readonly string[];
  readonly samples: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  /** Every broken promise, those three among them, as a sentence. */
  readonly violations: readonly string[];
};

/** The model of all schedules; its regression targets are the samples' numbers. */
export const simulatedSpec = defineSpec({
  model: 'simulated',
  task: 'regression',
  features: {
    id: { type: 'number' },
    kind: { type: 'category', values: ['a', 'b', 'c'], dimensions: 1 },
  },
  network: { hidden: [] },
  optimizer: { type: 'momentum', rate: 0.001 },
  online: { minibatch: 2 },
  batch: { epochs: 2, minibatch: 4, validation: 0.2, slice: { epochs: 1 } },
});

/** The same with all that a state can hold beside one network. */
const learnerSpec = defineSpec({
  ...simulatedSpec,
  features: {
    ...simulatedSpec.features,
    id: { type: 'number', halfLife: 20 },
    usual: { type: 'targetMean', of: ['kind'], buckets: 8, halfLife: 5 },
  },
  online: {
    minibatch: 2,
    replay: { ratio: 2, size: 4 },
    experts: [{ replay: true }, { hidden: [1], halfLife: 4 }, { predicts: 'lastLabel' }],
  },
});

/** A dataset beside the journal. */
const pastRows = Array.from({ length: 12 }, (_, i) =>
  JSON.stringify({ id: 10_000 + i, kind: 'abc'[i % 3], label: i % 7 }),
).join('\n');

const second = 1_000;
const minute = 60 * second;
const day = 1_440 * minute;
const groups = [simulatedSpec.model, 'other'] as const;

/** Runs the schedule of a seed: what is sent, what goes wrong and when, all of it. */
export async function runSchedule(seed: number, options: ScheduleOptions = {}): Promise<Outcome> {
  const random = createRandom(seed, 1);
  let working = 0;
  const engine = counted(options.engine ?? chainEngine, (change) => {
    working += change;
  });
  const timeline = createTimeline(() => working > 0, options.keepsEvents ?? false);
  const stormMinutes = random.integer(1, 15);
  // In some schedules most messages become dead letters, while deliveries of them are still
  // running.
  const isDeadly = random.chance(0.15);
  const kinds = options.kinds ?? someKinds(random);
  const faults = createFaults(seed, {
    rate: isDeadly ? 0.1 : random.pick([0, 0.005, 0.02, 0.05, 0.1]),
    isOver: () => timeline.now() > stormMinutes * minute,
    kinds,
    kept: options.kept,
  });
  const visibility = () =>
    (isDeadly ? random.integer(2, 20) : random.chance(0.6) ? 720 : random.integer(2, 120)) * second;
  const queue = (name: string): QueueSettings => ({
    arn: `arn:aws:sqs:simulated:${name}`,
    visibilityMilliseconds: visibility(),
    maximumReceives: isDeadly ? random.integer(1, 2) : random.integer(2, 8),
  });
  const cloud = createCloud({
    timeline,
    random: createRandom(seed, 3),
    faults,
    engine,
    samples: queue('samples-1'),
    jobs: queue('jobs-1'),
    limits: smallLimits,
  });
  cloud.bucket.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(pastRows));
  const models = createModels(cloud, random);
  const size = random.pick([1, 3, 10]);
  startFunctions(cloud, () => random.integer(1, size));

  const stormMilliseconds = stormMinutes * minute;
  // From streams of their own: the schedules without them are as they were.
  const asking = { spec: simulatedSpec, models, stormMilliseconds };
  const questions = startAskers(cloud, createRandom(seed, 10), asking);
  const expected = startSenders(cloud, random, { models, stormMilliseconds, questions });
  startSpecChanges(cloud, createRandom(seed, 9), models, stormMilliseconds);
  const isEnded = await runToEnd(cloud, random);
  const found = await check(cloud, models, expected, engine).catch(uncheckable);
  const endless = isEnded ? [] : ['it does not end'];
  const violations = [...cloud.violations, ...found.violations, ...endless];
  timeline.record(violations.join('; '));
  return {
    seed,
    faults: faults.struck,
    hash: timeline.hash(),
    events: timeline.events,
    samples: expected.samples.size,
    lost: found.lost,
    doubled: found.doubled,
    outOfOrder: found.outOfOrder,
    violations,
  };
}

/** Days later somebody moves the dead letters back, until there are none. @returns as `run` */
async function runToEnd(cloud: Cloud, random: Random): Promise<boolean> {
  const { timeline } = cloud;
  let isEnded = await timeline.run();
  const letters = () => [cloud.samples, cloud.jobs].flatMap((queue) => queue.deadLetters());
  for (let round = 0; isEnded && round < 6 && letters().length > 0; round++) {
    const diesAfter = round < 3 && random.chance(0.5) ? random.integer(0, 400) : undefined;
    timeline.after(3 * day, () => void redrive(cloud, diesAfter));
    isEnded = await timeline.run();
  }
  return isEnded;
}

/** One or two models in a cloud's bucket. @returns their names */
function createModels({ bucket }: Cloud, random: Random): readonly string[] {
  const publishEvery = random.pick([undefined, 1, 3]);
  const models = groups.slice(0, random.pick([1, 1, 2]));
  for (const model of models) {
    const usual = random.chance(0.06) ? learnerSpec : simulatedSpec;
    const spec = { ...usual, model, online: { ...usual.online, publishEvery } };
    bucket.put(keys.spec(model), Buffer.from(JSON.stringify(spec)));
  }
  return models;
}

/** What is in the bucket is broken so that it cannot even be checked. */
function uncheckable(error: unknown): Found {
  return {
    lost: 0,
    doubled: 0,
    outOfOrder: 0,
    violations: [`it cannot be checked: ${reasonOf(error)}`],
  };
}

/**
 * Half of the schedules meet all faults, the others only some: a crowd of faults hides what a
 * single one does.
 */
function someKinds(random: Random): ReadonlySet<FaultKind> {
  const isAll = random.chance(0.5);
  return new Set(faultKinds.filter(() => isAll || random.chance(0.3)));
}

/** Counts calls of an engine that are under way: it works outside of simulated time. */
function counted(engine: Engine, count: (change: 1 | -1) => void): Engine {
  const during = async <Result>(work: Promise<Result>): Promise<Result> => {
    count(1);
    try {
      return await work;
    } finally {
      count(-1);
    }
  };
  return {
    async compile(spec) {
      const model = await during(engine.compile(spec));
      return {
        ...model,
        train: (...run) => during(model.train(...run)),
        predict: (...samples) => during(model.predict(...samples)),
      };
    },
  };
}
