import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { onnxEngine } from '../../lib/engine/onnx/onnx.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { bundleProgram } from '../support/bundle-program.ts';
import { digestsOf, folderCache } from './bits.ts';
import { samplesOf } from './samples.ts';

/** Below the project, so that programs find its packages. */
const scratch = join(projectDirectory, '.millrace');
mkdirSync(scratch, { recursive: true });
const folder = mkdtempSync(join(scratch, 'bits-'));
const cache = folderCache(folder);
afterAll(() => rmSync(folder, { recursive: true }));

/** What the engine made when it got its name; other bits are another arithmetic. */
const known = JSON.parse(
  readFileSync(new URL('../fixtures/bits-wasm-1.json', import.meta.url), 'utf8'),
);

const exists = (program: string) => spawnSync(program, ['--version']).status === 0;
const armNode = process.env.MILLRACE_ARM64_NODE ?? '';

/** Processors that are emulated, and what runs a program of Node on each. */
const processors: readonly [name: string, command: readonly string[], isThere: boolean][] = [
  ...['SandyBridge', 'Nehalem', 'Haswell'].map((name): [string, string[], boolean] => [
    name,
    ['qemu-x86_64', '-cpu', name, process.execPath],
    process.arch === 'x64' && exists('qemu-x86_64'),
  ]),
  [
    'Neoverse N1 (arm64)',
    ['qemu-aarch64', '-cpu', 'neoverse-n1', '-L', '/usr/aarch64-linux-gnu', armNode],
    armNode !== '' && exists('qemu-aarch64'),
  ],
];

describe('the bits of the wasm engine', () => {
  it('are those that this arithmetic has always had', async () => {
    expect(await digestsOf({ cache })).toEqual(known);
  });

  it('are the same beside ONNX Runtime, which could change the arithmetic of its process', async () => {
    const spec = defineSpec({
      model: 'beside',
      task: 'binary',
      features: { x: { type: 'number' } },
      engine: 'onnx',
    });
    const model = await onnxEngine({ threads: 1 }).compile(spec);
    const run = { minibatch: 4, rate: 0.1 };
    await model.train(model.initial(), samplesOf(spec, 8), run);
    const denormal = Float32Array.of(2 ** -140);
    expect(denormal.map((each) => each / 2)).toEqual(Float32Array.of(2 ** -141));
    expect(await digestsOf({ cache })).toEqual(known);
  });

  it.for(processors)(
    'are the same on %s',
    async ([, [emulator = '', ...command], isThere], context) => {
      if (!isThere) context.skip('there is no emulator for it here');
      // (Emulated, each file that is loaded takes long, and what compiles JavaScript does.)
      const program = join(folder, 'bits.mjs');
      await bundleProgram(join(import.meta.dirname, 'bits.ts'), program);
      const run = [...command, '--no-opt', program, folder, 'short'];
      const { stdout } = await promisify(execFile)(emulator, run);
      expect(JSON.parse(stdout)).toEqual(await digestsOf({ cache, length: 'short' }));
    },
  );
});
