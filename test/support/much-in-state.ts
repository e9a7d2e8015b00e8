import type { SpecInput } from '../../lib/spec/spec.ts';
import { sampleMessages, ticketsSpec } from './world.ts';

/** Learners of each kind: one replays, one forgets, one is linear. */
export const spec: SpecInput = {
  ...ticketsSpec,
  online: {
    minibatch: 2,
    replay: { ratio: 3, size: 5 },
    experts: [
      { replay: true },
      { hidden: [2, 2], halfLife: 4, rate: 0.1 },
      { hidden: [], replay: true, halfLife: 9 },
      { predicts: 'lastLabel' },
    ],
  },
};
/** The same of numbers. */
export const regression: SpecInput = {
  ...spec,
  task: 'regression',
  loss: undefined,
  label: { standardize: true },
  online: {
    ...spec.online,
    experts: [{ replay: true }, { halfLife: 4 }, { predicts: 'lastLabel' }],
  },
};
/** Columns that are taken from others, and from what was learnt before. */
const derived: SpecInput = {
  ...ticketsSpec,
  features: {
    ...ticketsSpec.features,
    urgency: { type: 'number', missing: 'mean', halfLife: 5 },
    team_late: { type: 'targetMean', of: ['team'], buckets: 8, halfLife: 3 },
    both: { type: 'cross', of: ['team', 'urgency'], buckets: 16, dimensions: 2 },
    before: { type: 'lag', steps: [1, 3], by: ['team'], buckets: 4 },
    urgency_before: { type: 'lag', source: 'urgency' },
    both_late: { type: 'targetMean', of: ['team', 'urgency'], buckets: 32 },
  },
};
/** A category whose values take each other's place. */
export const growing: SpecInput['features'] = {
  team: {
    type: 'category',
    vocabulary: { size: 1, admitAfter: 2, expireAfter: 4 },
    dimensions: 2,
  },
};
const scaledBy = (standardize: 'minMax' | 'maxAbs' | 'robust'): SpecInput['features'] => ({
  ...ticketsSpec.features,
  urgency: { type: 'number', standardize },
});
const label = { classWeights: 'balanced' } as const;
/** Classes that come as they like: `true` and `false` of the dataset are some of them. */
const classes: SpecInput = {
  ...spec,
  task: 'multiclass',
  features: { ...scaledBy('robust'), ...growing },
  label: { ...label, classes: ['never'], maxClasses: 6 },
};
/** Specs whose models keep much in their state. */
export const specs: Readonly<Record<string, SpecInput>> = {
  experts: spec,
  derived,
  both: { ...derived, online: spec.online },
  balanced: { ...ticketsSpec, features: scaledBy('minMax'), label },
  drift: {
    ...ticketsSpec,
    features: scaledBy('maxAbs'),
    online: { minibatch: 2, drift: { confidence: 0.5 } },
  },
  growing: { ...ticketsSpec, features: { ...ticketsSpec.features, ...growing } },
  all: {
    ...derived,
    features: { ...derived.features, ...growing },
    online: { ...spec.online, drift: { pageHinkley: { threshold: 2 } }, passes: 2 },
    label,
  },
  classes,
  lists: {
    ...ticketsSpec,
    features: {
      ...ticketsSpec.features,
      place: { type: 'vector', length: 2, standardize: true, missing: 'mean' },
      seen: { type: 'image', shape: [2, 1], missing: 128 },
      asked: { type: 'vector', length: 1, missing: 0.5 },
    },
    online: { minibatch: 2, replay: { ratio: 2, size: 4, keep: 'recent' } },
  },
};

/** Messages in which some numbers are missing, where a spec has something in their place. */
export const messages = sampleMessages(9, 'till-1');
export const gappy = messages.map((each, i) => {
  const body: { samples: { features: { urgency: number | null } }[] } = JSON.parse(each.body);
  for (const [j, { features }] of body.samples.entries())
    if ((i + j) % 5 === 4) features.urgency = null;
  return { ...each, body: JSON.stringify(body) };
});

/** The same, with lists that are often missing. */
const listed = messages.map((each, i) => {
  const body: { samples: { features: Record<string, unknown> }[] } = JSON.parse(each.body);
  for (const [j, { features }] of body.samples.entries()) {
    if ((i + j) % 3 > 0) features.place = [i, j * 100];
    if (i % 2 === 0) Object.assign(features, { seen: [[j], [7]], asked: '[3]' });
  }
  return { ...each, body: JSON.stringify(body) };
});

/** A stream that changes: what was late is not any more, and teams take turns. */
const changing = sampleMessages(60, 'till-1').map((each, i) => {
  const body: { samples: { features: { team: string }; label: boolean }[] } = JSON.parse(each.body);
  for (const sample of body.samples) {
    if (i >= 40) sample.label = !sample.label;
    sample.features.team = i % 8 < 4 ? 'red' : 'blue';
  }
  return { ...each, body: JSON.stringify(body) };
});
/** Some tickets are lost besides, and late ones are called so later. */
const named = changing.map((each, i) => {
  const body: { samples: { label: unknown }[] } = JSON.parse(each.body);
  for (const [j, sample] of body.samples.entries()) {
    if (i >= 3 && (i + j) % 7 === 0) sample.label = 'lost';
    if (i >= 20 && sample.label === true) sample.label = 'late';
  }
  return { ...each, body: JSON.stringify(body) };
});
/** What is sent to the models of {@link specs}; {@link gappy} unless given. */
export const sentTo: Readonly<Record<string, typeof messages>> = {
  ...{ experts: messages, balanced: messages, classes: named, lists: listed },
  ...{ drift: changing, growing: changing, all: changing },
};
