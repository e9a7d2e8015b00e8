import { expect, it } from 'vitest';
import { parseSpec } from '../../lib/spec/spec.ts';

const minimal = { model: 'demand', task: 'regression', features: { hour: { type: 'number' } } };

const wrong: readonly (readonly [change: object, reason: string | RegExp])[] = [
  [{ network: { hidden: 32 } }, 'spec.network.hidden: must be a list (found 32)'],
  [
    { network: { activation: 'gelu' } },
    'spec.network.activation: must be relu, tanh, sigmoid, elu, selu, softplus, softsign,',
  ],
  [{ network: 5 }, 'spec.network: must be an object (found 5)'],
  [{ network: { topology: 'x' } }, 'spec.network.topology: must be JSON, as model.toJSON()'],
  [{ network: { topology: {} } }, 'spec.network.topology: must be what model.toJSON() answers'],
  [{ network: { hiden: [3] } }, 'spec.network: unknown field "hiden"; allowed: hidden, activation'],
  [
    { features: { 'a b ': { type: 'number' } } },
    'spec.features.a b : a name is a text of one line, without white space at its ends',
  ],
  [
    { features: { x: { type: 'words' } } },
    'x.type: must be number, vector, image, category, cross, targetMean, lag, timestamp or text (found',
  ],
  [{ features: { x: 'number' } }, 'spec.features.x: must be an object: {"type": "number"}'],
  [{ task: 'classification' }, 'spec.task: must be regression, binary or multiclass'],
  [{ optimizer: 'adam' }, 'spec.optimizer: must be an object: {"type": "adam"}'],
  [{ seed: -1 }, 'spec.seed: must be at least 0 (found -1)'],
  [{ features: { c: { type: 'category', values: [] } } }, 'must have at least 1 item (found [])'],
  [{ optimizer: { type: 'sgd', rate: 0 } }, 'rate: must be more than 0 (found 0)'],
  [{ batch: { epochs: '3' } }, 'spec.batch.epochs: must be a number (found "3")'],
  [{ network: { topology: null } }, 'spec.network: topology must be what model.toJSON() answers'],
  [
    { online: { experts: [{ predicts: 'mean' }, {}] } },
    'experts.0.predicts: must be prior, lastLabel, stack, neighbours or trees (found "mean")',
  ],
  [
    { online: { experts: [{ predicts: 'neighbours', hidden: [1] }, {}] } },
    'spec.online.experts.0: unknown field "hidden"; allowed: predicts, window',
  ],
  [
    { online: { experts: [{ predicts: 'neighbours', window: 1.5 }, {}] } },
    'spec.online.experts.0.window: must be a whole number (found 1.5)',
  ],
  [{ online: { experts: 'x' } }, 'spec.online.experts: must be default, or a list (found "x")'],
  [{ online: { experts: null } }, 'spec.online.experts: must be default, or a list (found null)'],
  [{ online: { minibatch: null } }, 'spec.online.minibatch: must be a number (found null)'],
  [{ optimizer: null }, 'spec.optimizer: must be an object (found null)'],
  [
    { batch: { validation: { file: 'x' } } },
    'spec.batch.validation: must have column and from, or folds and fold, or files, or dataset, and',
  ],
  [
    { features: { t: { type: 'timestamp', harmonics: { day: 2 } } } },
    'harmonics: unknown field "day"; allowed: hour, weekday, month, dayOfYear',
  ],
  [
    {
      features: { t: { type: 'timestamp', harmonics: { hour: 1e8 } } },
      online: { experts: 'default' },
    },
    'harmonics.hour: must be at most 12 (found 100000000)',
  ],
  [
    { features: { x: { type: 'number', clip: 5 } } },
    'clip: must be a list of the least and the greatest value (found 5)',
  ],
  [{ features: { x: { type: 'number', column: [] } } }, /column: must be a text \(found \[\]\)$/],
];

it.each(wrong)('a spec with %j is told what is allowed', (change, reason) => {
  expect(() => parseSpec({ ...minimal, ...change })).toThrow(reason);
});
