import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetQueueAttributesCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDirectory } from '../../infra/local/synthesize.ts';
import { keys } from '../../lib/bucket/keys.ts';
import { allOf } from '../../lib/journal/entry.ts';
import { entriesAfter } from '../../lib/journal/reading.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { createProducer } from '../../lib/ports/producer.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { decodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';

describe('the local cloud', () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
  });
  afterAll(() => test.remove());

  it("runs README's programs as they stand, and the model learns what they sent", async () => {
    const readme = readFileSync(join(projectDirectory, 'README.md'), 'utf8');
    // What teaches, what asks, and what sends a label later; each goes on with the one before.
    const programs = [...readme.matchAll(/```ts\n(.*?)```/gs)].map(([, program = '']) => program);
    expect(programs).toHaveLength(3);
    // Between asking and the rest: what is asked for may not be learnt yet, and is asked for again.
    const again = `
      const features = { hour: 18, shop: 'Ghent', weather: 'rain' };
      const atLeast = { producer: 'till-17', seq: 1 };
      let reached = answer;
      while (!reached.ok) {
        await new Promise((done) => setTimeout(done, 100));
        reached = await model.predict([{ features }], { atLeast });
      }
      console.log(JSON.stringify(reached.predictions[0]));`;
    programs.splice(2, 0, again);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module-typescript', '--eval', programs.join('\n')],
      {
        cwd: projectDirectory,
        env: test.cloud.environment,
      },
    );
    const [, value] = /predictions: \[\{ value: ([\d.]+) \}\]/.exec(readme) ?? [];
    expect(JSON.parse(stdout.trim())).toEqual({ value: Number(value) });
    const state = await until(async () => {
      const object = await test.ports.store.get(keys.state('demand'));
      const state = object && decodeCheckpoint(object.body);
      return state !== undefined && state.learnt >= 3 ? state : undefined;
    });
    expect(state.learnt).toBe(3);
    const line = await until(async () => test.done.find((each) => each.startsWith('demand: ')));
    expect(line).toMatch(
      /^demand: entry 1 {2}[12] messages? {2}[23] samples {2}loss [\d.]+ {2}so far .* ms$/,
    );
  });

  it('answers with what was just sent, by the SDK and by the URL', async () => {
    const { environment } = test.cloud;
    const client = new LambdaClient({
      region: environment.AWS_REGION ?? '',
      endpoint: environment.AWS_ENDPOINT_URL_LAMBDA ?? '',
      credentials: { accessKeyId: 'somebody', secretAccessKey: 'else' },
    });
    const features = { hour: 18, shop: 'Ghent', weather: 'rain' };
    const ask = async (request: object) => {
      const { Payload, FunctionError } = await client.send(
        new InvokeCommand({
          FunctionName: environment.MILLRACE_PREDICT_FUNCTION ?? '',
          Payload: JSON.stringify({ model: 'demand', samples: [{ features }], ...request }),
        }),
      );
      expect(FunctionError).toBeUndefined();
      return JSON.parse(Buffer.from(Payload ?? []).toString());
    };
    await createProducer(test.ports.sendSamples, 'demand', 'reader').send([
      { features, label: 30 },
    ]);
    const atLeast = { producer: 'reader', seq: 1 };
    const answer = await until(async () => {
      const found = await ask({ atLeast });
      if (!found.ok) expect(found.code).toBe('not-reached');
      return found.ok ? found : undefined;
    });
    expect(answer).toMatchObject({ model: 'demand', unknown: {} });
    expect(answer.sequence).toBeGreaterThan(0);
    expect(answer.predictions[0].value).toEqual(expect.any(Number));
    // In a program, the same.
    const opened = await openModel(test.ports, 'demand');
    const { sequence, predictions } = answer;
    expect(await opened.predict([{ features }])).toMatchObject({ sequence, predictions });

    const url = environment.MILLRACE_PREDICT_URL ?? '';
    const post = async (path: string, body: string) => {
      const response = await fetch(`${url}${path}`, { method: 'POST', body });
      return { status: response.status, answer: await response.json() };
    };
    expect(await post('demand', JSON.stringify({ samples: [{ features }] }))).toMatchObject({
      status: 200,
      answer: { ok: true, sequence, predictions },
    });
    expect(await post('', '{"model": "demand"')).toMatchObject({
      status: 400,
      answer: { code: 'malformed', reason: expect.stringMatching(/body: must be JSON/) },
    });
    expect(await post('nobody', '{"samples": [1]}')).toMatchObject({ status: 404 });
    expect((await fetch(`${url}demand`)).status).toBe(405);
    const wrong = new InvokeCommand({ FunctionName: 'guess' });
    await expect(client.send(wrong)).rejects.toThrow(/Function not found: guess/);
    client.destroy();
  });

  it('learns a default where no label comes in time, and the label that comes after all', async () => {
    const { cloud, ports } = test;
    const name = 'clicks';
    // Milliseconds.
    const labelWindow = { hours: 1e-6, default: false };
    const clicks = defineSpec({
      model: name,
      task: 'binary',
      features: { place: { type: 'category', values: ['top', 'side'], dimensions: 1 } },
      online: { labelWindow },
    });
    await createModel(ports, clicks);
    const question = (id: string) => ({ id, features: { place: 'top' } });
    const asked = { model: name, samples: ['a', 'b'].map(question) };
    const answer = await cloud.functions.get('predict')?.invoke(asked);
    expect(answer).toMatchObject({ ok: true, predictions: [{}, {}] });
    const due = () => ports.store.list(keys.allDue(name));
    expect(await due()).toHaveLength(1);
    const samples = async () => {
      const all: unknown[] = [];
      for await (const entry of entriesAfter(ports.store, name, 0))
        all.push(...allOf(entry.samples));
      return all;
    };
    const learnt = (count: number) =>
      until(async () => ((await samples()).length >= count ? true : undefined));
    await cloud.functions.get('send-defaults')?.invoke({});
    await learnt(2);
    expect(await due()).toEqual([]);
    expect(test.done).toContainEqual(expect.stringMatching(/^clicks: {2}2 default labels sent/));
    const label = { id: 'b', label: true };
    await createProducer(ports.sendSamples, name, 'shop').send([label]);
    await learnt(3);
    expect(await samples()).toMatchObject([
      { id: 'a', label: false, default: true },
      { id: 'b', label: false, default: true },
      { ...label, lateWeight: expect.any(Number) },
    ]);
  });

  it('takes over the queues of an earlier release, whose attributes were others', async () => {
    const { address, sqs } = test.cloud;
    const QueueUrl = address.commandsQueueUrl;
    await sqs.send(
      new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: '7' } }),
    );
    test = await test.restart('stop');
    const { Attributes } = await test.cloud.sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl: test.cloud.address.commandsQueueUrl,
        AttributeNames: ['VisibilityTimeout'],
      }),
    );
    expect(Attributes?.VisibilityTimeout).toBe('180');
  });

  it('answers where it did before its restart, unless somebody else listens there', async () => {
    const before = test.cloud.environment;
    test = await test.restart('stop');
    expect(test.cloud.environment).toEqual(before);
    await test.cloud.stop();
    const others = await Promise.all(
      [before.AWS_ENDPOINT_URL, before.AWS_ENDPOINT_URL_LAMBDA].map(async (url = '') => {
        const other = createServer().listen(Number(new URL(url).port), '127.0.0.1');
        await once(other, 'listening');
        return other;
      }),
    );
    test = await startTestCloud(test.directory);
    const { environment } = test.cloud;
    expect(environment.AWS_ENDPOINT_URL).not.toBe(before.AWS_ENDPOINT_URL);
    expect(environment.AWS_ENDPOINT_URL_LAMBDA).not.toBe(before.AWS_ENDPOINT_URL_LAMBDA);
    expect(await test.ports.store.get(keys.state('demand'))).toBeDefined();
    for (const other of others) other.close();
  });

  it('is refused a second time over the same data', async () => {
    await expect(startTestCloud(test.directory)).rejects.toThrow(/is in use by another Millrace/);
  });
});
