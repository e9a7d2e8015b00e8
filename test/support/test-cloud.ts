import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { inject } from 'vitest';
import { type LocalCloud, startLocalCloud } from '../../infra/local/cloud.ts';
import { localPorts } from '../../infra/local/ports.ts';
import type { Ports } from '../../lib/ports/ports.ts';

/** A local cloud of a test's own, over a new folder. */
export type TestCloud = {
  readonly cloud: LocalCloud;
  readonly ports: Ports;
  readonly directory: string;
  /** What a function logged, for messages of failing tests. */
  readonly log: (name: string) => string;
  /** What a person would have seen on the terminal of `npm run local`. */
  readonly problems: readonly string[];
  readonly done: readonly string[];
  /** Stops the cloud, or cuts its power, and starts another over the same data. */
  readonly restart: (how: 'stop' | 'crash') => Promise<TestCloud>;
  readonly remove: () => Promise<void>;
};

/**
 * Starts a local cloud from the assembly that all tests share.
 *
 * @param environment what its functions find besides
 */
export async function startTestCloud(
  directory = mkdtempSync(join(tmpdir(), 'millrace-')),
  environment: Readonly<Record<string, string>> = {},
): Promise<TestCloud> {
  const problems: string[] = [];
  const done: string[] = [];
  const cloud = await startLocalCloud(inject('assembly'), directory, {
    visibilityFactor: 1 / 360,
    environment,
    onProblem: (problem) => void problems.push(problem),
    onDone: (line) => void done.push(line),
  });
  return {
    cloud,
    ports: localPorts(cloud),
    directory,
    problems,
    done,
    log: (name) => readFileSync(join(directory, 'logs', `${name}.log`), 'utf8'),
    async restart(how) {
      await cloud[how]();
      return startTestCloud(directory, environment);
    },
    async remove() {
      await cloud.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Waits until `check` answers something, and returns it; the test's own timeout is its bound. */
export async function until<Result>(check: () => Promise<Result | undefined>): Promise<Result> {
  for (;;) {
    const result = await check();
    if (result !== undefined) return result;
    await delay(50);
  }
}
