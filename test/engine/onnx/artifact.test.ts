import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { projectDirectory } from '../../../infra/local/synthesize.ts';
import { artifactName, engineVersion } from '../../../lib/engine/onnx/artifact.ts';
import { onnxEngine } from '../../../lib/engine/onnx/onnx.ts';
import manifest from '../../../package.json' with { type: 'json' };
import { ticketsSpec } from '../../support/world.ts';

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

  it('is used from a warm cache without loading tfjs', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-compiled-'));
    const program = `
      import { existsSync, readFileSync, writeFileSync } from 'node:fs';
      import { registerHooks } from 'node:module';
      let isTfjsLoaded = false;
      registerHooks({
        resolve(specifier, context, next) {
          isTfjsLoaded ||= specifier.startsWith('@tensorflow/');
          return next(specifier, context);
        },
      });
      const { createEngine } = await import('./lib/engine/create-engine.ts');
      const cache = {
        get: async (name) => (existsSync('${directory}/' + name) ? readFileSync('${directory}/' + name) : undefined),
        put: async (name, body) => writeFileSync('${directory}/' + name, body),
      };
      const engine = createEngine({ threads: 1, cache, warn: console.error });
      const model = await engine.compile(${JSON.stringify(ticketsSpec)});
      const [zero, weights] = [new Float32Array(1), Float32Array.of(1)];
      const one = { numbers: zero, categories: new Int32Array(1), labels: zero, weights };
      const run = { minibatch: 2, rate: 0.1 };
      const { state } = await model.train(model.initial(), { count: 1, ...one }, run);
      await model.predict(state, { count: 1, ...one });
      console.log(isTfjsLoaded);
    `;
    const run = async () => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '--eval', program],
        {
          cwd: projectDirectory,
        },
      );
      return stdout.trim();
    };
    expect(await run()).toBe('true');
    expect(await run()).toBe('false');
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
