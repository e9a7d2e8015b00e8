import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { hashIntegers } from '../../lib/features/hash.ts';
import { optimizerTypes } from '../../lib/spec/optimizer-schema.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { features, vectorSpec } from './networks.ts';
import { type Part, trainPart } from './resume.ts';

const specs: Record<string, SpecInput> = {
  ...Object.fromEntries(
    optimizerTypes.map((type) => [
      type,
      {
        model: 'resume',
        task: 'binary',
        features,
        network: { hidden: [5, 4] },
        optimizer: { type, rate: 0.02 },
        online: { schedule: { type: 'cosine', steps: 150, floor: 0.1 } },
      } satisfies SpecInput,
    ]),
  ),
  'dropout and normalization': vectorSpec(
    [5],
    [
      tf.layers.dense({ units: 6, useBias: false }),
      tf.layers.batchNormalization(),
      tf.layers.dropout({ rate: 0.5 }),
      tf.layers.dense({ units: 4, activation: 'relu' }),
    ],
  ),
};

const steps = 200;

describe.each(['onnx', 'tfjs'] as const)(
  'on %s, a run that is resumed in a new process',
  (engine) => {
    it('ends in the same bits as one that never stopped, for every optimizer', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'millrace-resume-'));
      const rest: Part[] = [];
      for (const [i, [name, input]] of Object.entries(specs).entries()) {
        const spec: SpecInput = { ...input, engine };
        const file = (part: string) => join(directory, `${name}-${part}`);
        // Anywhere in the run; the same place in each run of this test.
        const cut = 1 + (hashIntegers(5, i, engine.length) % (steps - 1));
        await trainPart({ spec, from: 0, to: steps, write: file('whole') });
        await trainPart({ spec, from: 0, to: cut, write: file('first') });
        rest.push({ spec, from: cut, to: steps, read: file('first'), write: file('second') });
      }
      const program = join(import.meta.dirname, 'resume.ts');
      await promisify(execFile)(process.execPath, [program, JSON.stringify(rest)]);
      for (const { spec, write } of rest) {
        const name = spec.optimizer?.type;
        const whole = readFileSync(write.replace(/second$/, 'whole'));
        expect(readFileSync(write).equals(whole), `${name} ${write}`).toBe(true);
        expect(readFileSync(write.replace(/second$/, 'first')).equals(whole)).toBe(false);
      }
      expect(rest).toHaveLength(Object.keys(specs).length);
    });
  },
);
