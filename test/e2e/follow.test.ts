import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, globSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { keys } from '../../lib/bucket/keys.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { decodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import { runMillrace } from '../support/command-line.ts';
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

  const follow = (path: string, ...options: string[]): ChildProcess =>
    spawn(
      process.execPath,
      [join(projectDirectory, 'infra/cli.ts'), 'send', model, path, '--follow', ...options],
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

  it('is done by one command at a time, and is not sent once more', async () => {
    const path = join(test.directory, 'busy.jsonl');
    writeFileSync(path, '');
    const first = follow(path);
    const lock = () => globSync('.millrace/follow/*.lock', { cwd: test.directory });
    await until(async () => lock().length === 1 || undefined);
    const second = follow(path);
    let said = '';
    second.stderr?.on('data', (text) => {
      said += text;
    });
    expect(await ended(second)).toBe(2);
    expect(said).toMatch(/is followed by process \d+ already; stop that one first/);
    appendFileSync(path, row(13));
    await learnt(7);
    const stopped = ended(first);
    first.kill('SIGINT');
    expect(await stopped).toBe(0);
    expect(lock()).toEqual([]);
    const { environment } = test.cloud;
    const again = await runMillrace(['send', model, path], environment, {
      directory: test.directory,
    });
    expect(again.stderr).toMatch(/was sent up to byte \d+ by --follow, and would be learnt twice/);
  });

  it('takes what is piped in as it comes', async () => {
    const child = follow('-');
    child.stdin?.write(row(6));
    await learnt(8);
    child.stdin?.end(row(7));
    expect(await ended(child)).toBe(0);
    await learnt(9);
  });

  it('learns labels that follow their predictions, each once', async () => {
    const path = (name: string) => join(test.directory, name);
    const millrace = (...command: string[]) => runMillrace(command, test.cloud.environment);
    writeFileSync(
      path('open.csv'),
      'order,urgency,team\nA-1,3,red\nA-2,9,blue\n,4,red\nA-3,1,red\n',
    );
    const asked = await millrace('predict', model, path('open.csv'), '--id', 'order');
    expect(asked.stdout).toMatch(
      /^order,.*\nA-1,3,red,\w+,[\d.]+,\n.*\n,4,red,,,"id: must be a text/,
    );
    writeFileSync(path('done.csv'), 'label,order\n1,A-2\n0,A-1\n1,A-9\n1,\n');
    const sent = await millrace('send', model, path('done.csv'), '--id', 'order');
    expect(sent.stdout).toContain('line 5, id: must be a text');
    expect(sent.stdout).toContain('1 row cannot be learnt, and will be refused');
    await learnt(11);
    writeFileSync(path('more.csv'), 'label,order\n0,A-2\n1,A-3\n');
    await millrace('send', model, path('more.csv'), '--id', 'order');
    await learnt(12);
    const refused = await millrace('quarantine', model);
    expect(refused.stdout).toContain('1 × id labelled-before');
    expect(refused.stdout).toContain('1 × id unknown-id');
    expect((await millrace('verify', model, '--all')).status).toBe(0);
  });

  it('learns nothing twice of a file that was sent before', async () => {
    const path = join(test.directory, 'sent.jsonl');
    appendFileSync(path, row(21) + row(22));
    const run = (...options: string[]) =>
      runMillrace(['send', model, path, ...options], test.cloud.environment);
    expect((await run()).status).toBe(0);
    await learnt(14);
    const refused = await run('--follow');
    expect([refused.status, refused.stderr]).toEqual([
      2,
      expect.stringMatching(
        /was sent before, up to byte \d+, as producer file-.*would be learnt twice/,
      ),
    ]);
    // Something was written behind what was sent.
    appendFileSync(path, row(23));
    expect((await run('--follow')).stderr).toMatch(/up to byte \d+, as producer file-/);
    const child = follow(path, '--from', 'sent');
    await learnt(15);
    const stopped = ended(child);
    child.kill('SIGINT');
    expect(await stopped).toBe(0);
    const object = await test.ports.store.get(keys.state(model));
    expect(object && decodeCheckpoint(object.body).learnt).toBe(15);
  });
});
