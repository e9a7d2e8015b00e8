import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { readEntry } from '../../lib/journal/reading.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import type { State } from '../../lib/state/state.ts';
import { runMillrace } from '../support/command-line.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';
import { ticket, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;

describe('millrace, on the local cloud', () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud();
    await createModel(test.ports, ticketsSpec);
  });
  afterAll(() => test.remove());

  const millrace = async (...command: string[]) => {
    const { status, stdout, stderr } = await runMillrace(command, test.cloud.environment);
    return { status, output: stdout + stderr };
  };
  const stateWhen = (isReached: (state: State) => boolean) =>
    until(async () => {
      const object = await test.ports.store.get(keys.state(model));
      const state = object && decodeCheckpoint(object.body);
      return state !== undefined && isReached(state) ? state : undefined;
    });
  const send = (body: unknown, deduplication: string) =>
    test.ports.sendSamples({ body: JSON.stringify(body), group: model, deduplication });

  it('predicts a line that is no row as none, in its place, and loses it nowhere', async () => {
    const file = (name: string) => join(test.directory, name);
    writeFileSync(file('short.csv'), 'urgency,team,late\n1,2\n12,red,no\n');
    const predict = (out: string) => millrace('predict', model, file('short.csv'), '--out', out);
    expect((await predict(file('short.csv'))).output).toContain('1 line of');
    expect(readFileSync(file('short.csv'), 'utf8')).toContain('\n1,2\n');
    expect(existsSync(file('short.csv.part'))).toBe(false);
    expect((await predict(file('beside.csv'))).status).toBe(0);
    expect(readFileSync(file('beside.csv'), 'utf8')).toMatch(
      /^urgency.*\n,+"it has 2 values, the header has 3 columns"\n12,red,no,/,
    );
  });

  it('verifies a model, rolls it back, and verifies it again', async () => {
    for (let seq = 1; seq <= 3; seq++) {
      await send(
        { producer: 'till', seq, samples: [ticket(seq), ticket(seq + 10)] },
        `till:${seq}`,
      );
      await stateWhen(({ learnt }) => learnt === 2 * seq);
    }
    expect(await millrace('verify', model)).toMatchObject({
      status: 0,
      output: expect.stringContaining('entries 1 to 3, 6 samples, largest difference 0'),
    });
    const { tensors } = await stateWhen(({ sequence }) => sequence === 3);
    expect(await millrace('rollback', model, '--to', '1', '--yes')).toMatchObject({
      status: 0,
      output: expect.stringMatching(
        /4 samples behind it stay in the journal: .*millrace\s+retract.*done, as entry 4/s,
      ),
    });
    const back = await stateWhen(({ sequence }) => sequence === 4);
    expect(back.tensors).not.toEqual(tensors);
    expect(back.learnt).toBe(6);
    expect((await millrace('verify', model)).output).toContain('entries 1 to 4, 6 samples');
    expect((await millrace('verify', model, '--all')).status).toBe(0);
    const time = (await readEntry(test.ports.store, model, 3))?.header.time ?? '';
    expect((await millrace('rollback', model, '--to', time, '--yes')).output).toContain(
      `go back to entry 3 (of 4): the weights of entry 3, committed at ${time}`,
    );
    expect((await stateWhen(({ sequence }) => sequence === 5)).tensors).toEqual(tensors);
  });

  it('unlearns a message, a file of samples, and what arrived within some time', async () => {
    const before = await stateWhen(() => true);
    const entries = before.sequence;
    const [message] = (await readEntry(test.ports.store, model, 2))?.header.messages ?? [];
    expect(
      (await millrace('retract', model, '--message', message?.id ?? '', '--yes')).output,
    ).toContain(`folded entries 2 to ${entries} without 2 samples`);
    const without = await stateWhen(({ sequence }) => sequence === entries + 1);
    expect(without.tensors).not.toEqual(before.tensors);
    expect((await millrace('retract', model, '--message', 'till:3', '--yes')).output).toContain(
      `folded entries 3 to ${entries + 1} without 2 samples`,
    );
    await stateWhen(({ sequence }) => sequence === entries + 2);
    const file = join(test.directory, 'poison.jsonl');
    // What is no sample was not learnt when the file was sent, and is no matter now.
    writeFileSync(file, `${JSON.stringify(ticket(1))}\n{"urgency": 1\n`);
    const unlearnt = await millrace('retract', model, '--samples', file, '--yes');
    expect(unlearnt.output).toMatch(/line 2 of .*poison\.jsonl is no sample: /);
    expect(unlearnt.output).toContain('without 1 sample and');
    await stateWhen(({ sequence }) => sequence === entries + 3);
    const times = ['--from', '2020-01-01T00:00Z', '--to', '2100-01-01T00:00Z', '--yes'];
    // Five of the six are unlearnt already.
    expect((await millrace('retract', model, ...times)).output).toContain('without 1 sample and');
    const nothing = await stateWhen(({ sequence }) => sequence === entries + 4);
    expect(nothing.step).toBe(0);
    expect(nothing.learnt).toBe(6);
    const shown = (await millrace('show', model)).output;
    expect(shown).toMatch(/6 samples learnt.*\n.*some of them unlearnt since, by 4 retractions/);
    expect((await millrace('verify', model, '--all')).status).toBe(0);
    expect((await millrace('retract', model, '--message', 'none')).output).toContain(
      'has learnt no message none',
    );
    expect((await millrace('retract', model)).output).toContain('name --message <id');
    const missing = await millrace('retract', model, '--samples', 'none.jsonl');
    expect(missing).toMatchObject({
      status: 2,
      output: expect.stringContaining('--samples: none.jsonl cannot be read'),
    });
  });

  it('finds a published state that is not the fold of its journal', async () => {
    const object = await test.ports.store.get(keys.state(model));
    if (object === undefined) throw new Error('nothing is published');
    const state = decodeCheckpoint(object.body);
    const [[name, tensor] = ['', undefined]] = Object.entries(state.tensors);
    const wrong = {
      shape: tensor?.shape ?? [],
      data: Float32Array.from(tensor?.data ?? [], (x) => x + 0.5),
    };
    await test.ports.store.put(
      keys.state(model),
      encodeCheckpoint({ ...state, tensors: { ...state.tensors, [name]: wrong } }),
    );
    const { status, output } = await millrace('verify', model);
    await test.ports.store.put(keys.state(model), object.body);
    expect(status).toBe(1);
    expect(output).toContain('is not the fold of its journal');
    expect((await millrace('verify', model)).status).toBe(0);
  });

  it('lists what is in quarantine, and sends it again once', async () => {
    const { learnt, sequence } = await stateWhen(() => true);
    const uri = `s3://${test.cloud.address.bucket}/datasets/late/samples.jsonl`;
    await send({ producer: 'till', seq: 4, samples: uri }, 'till:4');
    await send(
      { producer: 'till', seq: 5, samples: [{ features: { urgency: 'much' }, label: true }] },
      'till:5',
    );
    await stateWhen((state) => state.sequence === sequence + 2);
    const { output } = await millrace('quarantine', model);
    expect(output).toContain('there is no object');
    expect(output).toContain('2 messages with 2 refusals in quarantine');

    await test.ports.store.put(
      'datasets/late/samples.jsonl',
      Buffer.from(`${JSON.stringify(ticket(7))}\n`),
    );
    expect((await millrace('quarantine', model, '--retry', '--yes')).output).toContain(
      'sent 1 message again, 1 cannot be',
    );
    expect((await stateWhen((state) => state.sequence === sequence + 3)).learnt).toBe(learnt + 1);
    // What was learnt is no longer shown; what would be refused again is not sent.
    const afterwards = (await millrace('quarantine', model)).output;
    expect(afterwards).not.toContain('there is no object');
    expect(afterwards).toContain('1 message with 1 refusal in quarantine; 1 message settled since');
    const again = (await millrace('quarantine', model, '--retry', '--yes')).output;
    expect(again).toContain('no message of quarantine can be sent again as it is');
    expect(again).toMatch(/: it would be refused again: features\.urgency/);
  });

  it('takes commands from operators alone: in the samples queue they are refused', async () => {
    const before = await stateWhen(() => true);
    await send({ rollback: { to: 0 } }, 'intruder');
    const after = await stateWhen((state) => state.sequence === before.sequence + 1);
    expect(after.tensors).toEqual(before.tensors);
    expect((await millrace('quarantine', model)).output).toContain(
      'body.rollback: commands come through the commands queue, not this one',
    );
  });

  it('moves dead letters back, but for those that were learnt before they died', async () => {
    const { learnt } = await stateWhen(() => true);
    await send({ samples: [ticket(8)] }, 'anonymous');
    await stateWhen((state) => state.learnt === learnt + 1);
    const deadLetters = Object.entries(test.cloud.deadLetterUrls).find(([id]) =>
      id.includes('Samples'),
    )?.[1];
    const die = (body: unknown, id: string, group = model) =>
      test.cloud.sqs.send(
        new SendMessageCommand({
          QueueUrl: deadLetters,
          MessageBody: JSON.stringify(body),
          MessageGroupId: group,
          MessageDeduplicationId: id,
        }),
      );
    await die({ producer: 'till', seq: 6, samples: [ticket(9)] }, 'one');
    await die({ producer: 'till', seq: 1, samples: [ticket(1)] }, 'two');
    await die({ samples: [ticket(10)] }, 'three');
    await die({ samples: [ticket(11)] }, 'four', 'nobody');
    const { output } = await millrace('redrive', '--dry-run');
    const dry = await millrace('redrive', '--dry-run', '--json');
    expect(dry.output).toMatch(/\{"changed":false,"would":"[^"]+dead letter/);
    expect(output).toContain('samples: about 4 dead letters\n');
    expect(output).toMatch(/tickets [0-9a-f-]{36} \{"producer":"till","seq":6/);
    expect(output).toContain('this is a dry run');
    const redriven = (await millrace('redrive', '--yes')).output;
    expect(redriven).toContain('3 messages of samples, 0 jobs and 0 commands sent');
    // (A letter that becomes visible again meanwhile is left twice.)
    expect(redriven).toMatch(/messages? left: there is no model nobody/);
    const [, stray = ''] = /redrive --drop ([0-9a-f-]{36})/.exec(redriven) ?? [];
    const dropped = await millrace('redrive', '--drop', stray, '--drop', 'no-such-letter', '--yes');
    expect(dropped.output).toContain('1 message dropped');
    expect(dropped.output).toContain('not there, or behind another one of its model');
    expect(dropped.output).toContain(': no-such-letter');
    expect((await stateWhen((state) => state.learnt === learnt + 3)).learnt).toBe(learnt + 3);
    expect((await millrace('redrive', '--yes')).output).toContain(
      '0 messages of samples, 0 jobs and 0 commands sent',
    );
  });

  it('says what is wrong with a command', async () => {
    const { sequence } = await stateWhen(() => true);
    for (const [wrong, reason] of [
      [['rollback', model, '--to', 'yesterday'], '--to: must be an entry'],
      [['rollback', model, '--to', String(sequence)], 'nothing is changed: say --yes'],
      [['rollback', model, '3', '--to', '1'], 'too many arguments'],
      [['rollback', model, '--to', '1', '--all'], "unknown option '--all'"],
      [['verify', model, '--yes'], "unknown option '--yes'"],
      [['redrive', model], 'too many arguments'],
      [['verify'], "missing required argument 'model'"],
    ] as const) {
      const { status, output } = await millrace(...wrong);
      expect(output).toContain(reason);
      expect(status).toBe(2);
    }
    expect(
      (await millrace('rollback', model, '--to', String(sequence), '--dry-run')).output,
    ).toContain('nothing is changed: this is a dry run');
    expect((await stateWhen(() => true)).sequence).toBe(sequence);
    expect(await millrace('rollback', '--help')).toMatchObject({ status: 0 });
    expect((await millrace('rollback', model, '--to', '999')).output).toContain('ends at entry');
    expect((await millrace('verify', 'nobody')).output).toContain('there is no model nobody');
    expect((await millrace('undo')).output).toContain("unknown command 'undo'");
    expect((await millrace()).output).toContain('models that are always current');
  });
});
