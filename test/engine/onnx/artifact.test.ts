import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { artifactName, engineVersion } from '../../../lib/engine/onnx/artifact.ts';
import { onnxEngine } from '../../../lib/engine/onnx/onnx.ts';
import manifest from '../../../package.json' with { type: 'json' };
import { ticketsSpec } from '../../simulation/world.ts';

describe('a compiled model', () => {
  it('names the versions of what made it', () => {
    expect(engineVersion).toContain(`tfjs ${tf.version.tfjs}`);
    expect(engineVersion).toContain(`onnxruntime ${manifest.dependencies['onnxruntime-node']}`);
  });

  it('is compiled once, and the same when it comes from the cache', async () => {
    const kept = new Map<string, Uint8Array>();
    const puts: string[] = [];
    const cache = {
      get: async (name: string) => kept.get(name),
      async put(name: string, body: Uint8Array) {
        puts.push(name);
        kept.set(name, body);
      },
    };
    const first = await onnxEngine({ threads: 1, cache }).compile(ticketsSpec);
    const second = await onnxEngine({ threads: 1, cache }).compile(ticketsSpec);
    expect(puts).toEqual([artifactName(ticketsSpec, 'model')]);
    expect(second.initial()).toEqual(first.initial());
  });

  it('has another name for another spec, part or engine', () => {
    const names = [
      artifactName(ticketsSpec, 'model'),
      artifactName(ticketsSpec, 'training/4'),
      artifactName({ ...ticketsSpec, seed: 2 }, 'model'),
    ];
    expect(new Set(names).size).toBe(names.length);
    expect(names.every((name) => /^[0-9a-f]{64}$/.test(name))).toBe(true);
  });
});
