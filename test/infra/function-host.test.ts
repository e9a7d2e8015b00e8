import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type FunctionHost, hostFunction } from '../../infra/local/function-host.ts';
import { functionProgram } from '../../infra/local/programs.ts';

const handler = `
let invocations = 0;
export async function handler({ behaviour }) {
  invocations += 1;
  if (behaviour === 'hang') await new Promise(() => setInterval(() => undefined, 1_000));
  if (behaviour === 'grow') {
    const all = [];
    for (;;) {
      all.push(Buffer.alloc(8 * 1_048_576, 1));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  if (behaviour === 'throw') throw new Error('as asked');
  if (behaviour === 'exit') process.exit(3);
  return { invocations, ...(behaviour === 'tell' ? { pid: process.pid } : {}) };
}
`;

const pidSchema = z.object({ pid: z.int() });

let host: FunctionHost | undefined;
/** What a person would have seen. */
let problems: string[] = [];

function start(timeoutSeconds: number): { host: FunctionHost; logFile: string } {
  problems = [];
  const directory = mkdtempSync(join(tmpdir(), 'millrace-host-'));
  const entry = join(directory, 'index.mjs');
  const logFile = join(directory, 'function.log');
  writeFileSync(entry, handler);
  host = hostFunction({
    name: 'example',
    program: functionProgram(directory),
    entry,
    environment: {},
    memoryMebibytes: 128,
    timeoutSeconds,
    onDone: () => undefined,
    onProblem: (problem) => void problems.push(problem),
    logFile,
  });
  return { host, logFile };
}

afterEach(() => host?.stop());

describe('a function on this machine', () => {
  it('keeps its process from one invocation to the next, also after it threw', async () => {
    const { host, logFile } = start(60);
    expect(await host.invoke({})).toEqual({ invocations: 1 });
    await expect(host.invoke({ behaviour: 'throw' })).rejects.toThrow('as asked');
    expect(await host.invoke({})).toEqual({ invocations: 3 });
    await host.stop();
    // What it threw is in its log, and on the terminal.
    expect(readFileSync(logFile, 'utf8')).toMatch(/"level":"ERROR".*as asked/);
    expect(problems).toEqual(['example: it threw: as asked']);
  });

  it('is killed when it takes more memory than it has, outside of the heap too', async () => {
    const { host } = start(60);
    await expect(host.invoke({ behaviour: 'grow' })).rejects.toThrow('example died (SIGKILL)');
    expect(problems[0]).toMatch(/example: took \d+ MiB of the 128 it has, and is killed/);
    expect(await host.invoke({})).toEqual({ invocations: 1 });
  });

  it('is killed when it runs past its timeout, and starts anew', async () => {
    const { host, logFile } = start(0.5);
    await host.invoke({});
    await expect(host.invoke({ behaviour: 'hang' })).rejects.toThrow(
      `example died (SIGKILL); see ${logFile}`,
    );
    expect(await host.invoke({})).toEqual({ invocations: 1 });
    expect(readFileSync(logFile, 'utf8')).toBe('');
    expect(problems).toContain('example: ran for 0.5 s, and is killed');
  });

  it('fails the invocation that ends its process, and starts anew', async () => {
    const { host } = start(60);
    await expect(host.invoke({ behaviour: 'exit' })).rejects.toThrow('example died (exit 3)');
    expect(await host.invoke({})).toEqual({ invocations: 1 });
  });

  it('fails an invocation that meets a process just killed, and starts anew', async () => {
    const { host } = start(60);
    const { pid } = pidSchema.parse(await host.invoke({ behaviour: 'tell' }));
    process.kill(pid, 'SIGKILL');
    // Without giving way, so that nothing here has seen the death when the next invocation is sent.
    while (
      !/^Z|^$/.test(
        spawnSync('ps', ['-o', 'stat=', '-p', String(pid)])
          .stdout.toString()
          .trim(),
      )
    );
    await expect(host.invoke({})).rejects.toThrow('example died (SIGKILL)');
    expect(await host.invoke({})).toEqual({ invocations: 1 });
  });
});
