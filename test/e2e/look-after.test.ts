import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { runMillrace } from '../support/command-line.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';
import { ticket, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;

describe('looking after a stack', () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
    await createModel(test.ports, ticketsSpec);
  });
  afterAll(() => test.remove());

  const millrace = (...command: string[]) => runMillrace(command, test.cloud.environment);
  const sendJob = (body: object, deduplication: string) =>
    test.ports.sendJob({ body: JSON.stringify(body), group: model, deduplication });

  it('says that it works, with a sample on its whole way', async () => {
    const { status, stdout } = await millrace('doctor');
    expect(stdout).toMatch(/✔ bucket {2}\S+: models 1, datasets 0\n/);
    expect(stdout).toContain('samples 0 waiting, 0 under way');
    expect(stdout).toMatch(
      /✔ canary {2}a sample was learnt as entry 1 of millrace-canary after \d.* s,\s+by\s+wasm-/,
    );
    expect(status).toBe(0);
    // The next one counts on.
    expect((await millrace('doctor')).stdout).toContain('learnt as entry 2 of millrace-canary');
    const { stdout: json } = await millrace('doctor', '--no-canary', '--json');
    const checks = JSON.parse(json).map(({ check }: { check: string }) => check);
    expect(checks).toEqual(['stack', 'bucket', 'queues', 'models']);
  });

  it('says what does not work, and shows what the functions logged about it', async () => {
    expect((await millrace('logs')).stdout).toMatch(/^no problem since 20/);
    await sendJob({ model, job: 'lost', dataset: 'nowhere' }, 'lost');
    const seen = await until(async () => {
      const { stdout } = await millrace('logs');
      return stdout.includes('tickets/lost: a job failed: ') ? stdout : undefined;
    });
    expect(seen).toMatch(/^20\S+Z ERROR batch-train tickets\/lost: a job failed: .*nowhere/m);
    const since = new Date(Date.now() - 1).toISOString();
    expect(JSON.parse((await millrace('logs', '--since', since, '--json')).stdout)).toEqual([]);
    const later = new Date(Date.now() + 60_000).toISOString();
    expect((await millrace('logs', '--since', later)).stderr).toContain('is yet to come');
    const all = (await millrace('logs', '--all')).stdout;
    expect(all).toMatch(
      /INFO online-update millrace-canary: entry 1 {2}1 message {2}1 sample {2}loss .* \d+ ms\n/,
    );
    expect(all).not.toContain('_aws');
    expect((await millrace('logs', '--since', 'yesterday')).stderr).toContain(
      'a time with its zone',
    );

    const { sqs, deadLetterUrls } = test.cloud;
    await sqs.send(
      new SendMessageCommand({
        QueueUrl: Object.entries(deadLetterUrls).find(([id]) => id.includes('Samples'))?.[1],
        MessageBody: JSON.stringify({ samples: [ticket(1)] }),
        MessageGroupId: model,
        MessageDeduplicationId: 'dead',
      }),
    );
    await test.ports.store.put('models/odd/spec.json', Buffer.from('{}'));
    const { status, stdout } = await millrace('doctor', '--no-canary');
    expect(stdout).toMatch(/✖ queues {2}1 of samples are dead letters; see: npx millrace redrive/);
    expect(stdout).toMatch(/✖ models {2}odd: .*spec\.json is not valid: spec/);
    expect(status).toBe(1);
  });

  it('removes files of a dataset, once somebody said yes', async () => {
    const files = ['january.csv', 'february.csv', 'notes.csv'].map((name) => {
      writeFileSync(join(test.directory, name), `x,label\n${name.length},true\n`);
      return join(test.directory, name);
    });
    await millrace('dataset', 'put', 'months', ...files);
    const names = async () => {
      const objects = await test.ports.store.list(keys.dataset('months'));
      return objects.map(({ key }) => key.slice(keys.dataset('months').length));
    };
    const dry = await millrace('dataset', 'rm', 'months', '*uary.csv', '--dry-run');
    expect(dry.stdout).toMatch(/months: remove 2 files, 0\.0 MiB\n.*this is a dry run/s);
    const strange = await millrace('dataset', 'rm', 'months', 'notes.csv', 'march*', '--yes');
    expect(strange.stderr).toContain('none of the 3 files of months is named "march*"');
    expect(await names()).toEqual(['february.csv', 'january.csv', 'notes.csv']);
    const removed = await millrace('dataset', 'rm', 'months', '*uary.csv', '--yes');
    expect(removed.stdout).toContain('months: 2 files removed');
    expect(await names()).toEqual(['notes.csv']);
    await millrace('dataset', 'rm', 'months', '--yes');
    expect(await names()).toEqual([]);
    expect((await millrace('dataset', 'rm', 'months', '--yes')).stderr).toContain('no dataset');
    expect((await millrace('dataset', 'rm', 'journal', '--yes')).stderr).toContain('journal');
  });

  it('removes a model, once somebody said yes', async () => {
    const asked = await millrace('rm', 'millrace-canary', '--dry-run');
    expect(asked.stdout).toMatch(/remove it for ever, \d+ objects, 2 entries of its journal\n/);
    expect(asked.stdout).toContain('nothing is changed: this is a dry run');
    const dry = await millrace('rm', 'millrace-canary', '--dry-run', '--json');
    expect(JSON.parse(dry.stdout)).toEqual({
      changed: false,
      would: expect.stringContaining('remove it for ever'),
    });
    expect((await millrace('rm', 'millrace-canary')).stderr).toContain('say --yes');
    expect((await millrace('show', 'millrace-canary')).status).toBe(0);
    expect((await millrace('rm', 'millrace-canary', '--yes')).stdout).toContain('removed.');
    expect(await test.ports.store.list(keys.model('millrace-canary'))).toEqual([]);
    expect((await millrace('rm', 'millrace-canary', '--yes')).stderr).toContain('no model');
    // While messages are under way, it is gone all the same, and nothing of it is in the next one.
    const rows = Array.from({ length: 3_000 }, (_, i) =>
      JSON.stringify({ ...ticket(i).features, label: true }),
    );
    writeFileSync(join(test.directory, 'rows.jsonl'), rows.join('\n'));
    await millrace('send', model, join(test.directory, 'rows.jsonl'), '--per-message', '10');
    // What a job made of its journal goes too: the next model of the name must not learn it.
    await millrace('train', model, 'journal', '--job', 'again', '--watch');
    expect(await test.ports.store.list('prepared/')).not.toEqual([]);
    expect((await millrace('rm', model, '--yes')).stdout).toContain('removed.');
    expect(await test.ports.store.list(keys.model(model))).toEqual([]);
    expect(await test.ports.store.list('prepared/')).toEqual([]);
    await createModel(test.ports, ticketsSpec);
    expect((await millrace('verify', model, '--all')).status).toBe(0);

    // It can be made again, and begins at its first entry.
    expect((await millrace('doctor')).stdout).toContain('learnt as entry 1 of millrace-canary');
  });
});
