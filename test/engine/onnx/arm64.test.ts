import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { projectDirectory } from '../../../infra/local/synthesize.ts';
import { bundleProgram } from '../../support/bundle-program.ts';
import { lossesOfFewSteps } from './few-steps.ts';

/** Below the project, so that the program finds its packages. */
const scratch = join(projectDirectory, '.millrace');
const armNode = process.env.MILLRACE_ARM64_NODE ?? '';
const isThere = armNode !== '' && spawnSync('qemu-aarch64', ['--version']).status === 0;

const features =
  'fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop ' +
  'asimddp ssbs';

/**
 * What a Neoverse N1 says of itself. The emulator shows a program the host's own /proc/cpuinfo, in
 * which ONNX Runtime finds no processor of arm64: on some hosts it dies of it.
 */
const cpuInfo = (processor: number) => `processor\t: ${processor}
BogoMIPS\t: 50.00
Features\t: ${features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1
`;

/** A folder in which the emulator looks for files first. */
function emulatedRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'millrace-arm64-'));
  symlinkSync('/usr/aarch64-linux-gnu/lib', join(root, 'lib'));
  mkdirSync(join(root, 'proc'));
  writeFileSync(join(root, 'proc/cpuinfo'), [0, 1].map(cpuInfo).join('\n'));
  return root;
}

it.skipIf(!isThere)('ONNX Runtime trains on arm64, where the functions run', async () => {
  const root = emulatedRoot();
  mkdirSync(scratch, { recursive: true });
  const folder = mkdtempSync(join(scratch, 'arm64-'));
  try {
    const command = ['-cpu', 'neoverse-n1', '-L', root, armNode];
    // (Emulated, each file that is loaded takes long.)
    const program = join(folder, 'few-steps.mjs');
    await bundleProgram(join(import.meta.dirname, 'few-steps.ts'), program);
    const { stdout } = await promisify(execFile)('qemu-aarch64', [...command, program]);
    const found: number[] = JSON.parse(stdout);
    const expected = await lossesOfFewSteps();
    expect(found).toHaveLength(expected.length);
    expected.forEach((loss, i) => void expect(found[i]).toBeCloseTo(loss, 5));
  } finally {
    for (const each of [root, folder]) rmSync(each, { recursive: true });
  }
});
