import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { keys } from '../../lib/bucket/keys.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { decodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';
import { ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;
const row = (i: number) => `${JSON.stringify({ urgency: i, team: 'red', label: i % 2 === 0 })}\n`;

describe('millrace send --follow', () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
    await createModel(test.ports, ticketsSpec);
  });
  afterAll(() => test.remove());

  const follow = (path: string): ChildProcess =>
    spawn(
      process.execPath,
      [join(projectDirectory, 'infra/cli.ts'), 'send', model, path, '--follow'],
      { env: { ...process.env, ...test.cloud.environment }, cwd: test.directory },
    );
  const learnt = (count: number) =>
    until(async () => {
      const object = await test.ports.store.get(keys.state(model));
      return object && decodeCheckpoint(object.body).learnt >= count ? true : undefined;
    });
  const ended = (child: ChildProcess) => new Promise((resolve) => child.once('exit', resolve));

  it('learns each line once, over a kill', async () => {
    const path = join(test.directory, 'log.jsonl');
    appendFileSync(path, row(1) + row(2));
    const first = follow(path);
    await learnt(2);
    appendFileSync(path, row(3));
    await learnt(3);
    const killed = ended(first);
    first.kill('SIGKILL');
    await killed;
    appendFileSync(path, row(4) + row(5));
    const second = follow(path);
    await learnt(5);
    const stopped = ended(second);
    second.kill('SIGINT');
    expect(await stopped).toBe(0);
    const object = await test.ports.store.get(keys.state(model));
    expect(object && decodeCheckpoint(object.body).learnt).toBe(5);
  });

  it('says that another file stands in the place of the one that it follows', async () => {
    const path = join(test.directory, 'rotated.jsonl');
    appendFileSync(path, row(11));
    const child = follow(path);
    let said = '';
    child.stderr?.on('data', (text) => {
      said += text;
    });
    await learnt(6);
    const stopped = ended(child);
    renameSync(path, `${path}.1`);
    appendFileSync(path, row(12));
    expect(await stopped).toBe(2);
    expect(said).toContain('is another file by now');
  });

  it('takes what is piped in as it comes', async () => {
    const child = follow('-');
    child.stdin?.write(row(6));
    await learnt(7);
    child.stdin?.end(row(7));
    expect(await ended(child)).toBe(0);
    await learnt(8);
  });
});
