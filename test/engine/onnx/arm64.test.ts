import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { lossesOfFewSteps } from './few-steps.ts';

const armNode = process.env.MILLRACE_ARM64_NODE ?? '';
const isThere = armNode !== '' && spawnSync('qemu-aarch64', ['--version']).status === 0;

it.skipIf(!isThere)('ONNX Runtime trains on arm64, where the functions run', async () => {
  const command = ['-cpu', 'neoverse-n1', '-L', '/usr/aarch64-linux-gnu', armNode];
  const program = join(import.meta.dirname, 'few-steps.ts');
  const { stdout } = await promisify(execFile)('qemu-aarch64', [...command, program]);
  const found: number[] = JSON.parse(stdout);
  const expected = await lossesOfFewSteps();
  expect(found).toHaveLength(expected.length);
  expected.forEach((loss, i) => void expect(found[i]).toBeCloseTo(loss, 5));
});
