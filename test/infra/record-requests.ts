import { keys } from '../../lib/bucket/keys.ts';
import type { ObjectStore } from '../../lib/bucket/object-store.ts';
import { showQuarantine } from '../../lib/cli/quarantine.ts';
import { retract } from '../../lib/cli/retract.ts';
import { rollback } from '../../lib/cli/rollback.ts';
import { readOrPlanParts } from '../../lib/datasets/parts.ts';
import { MillraceError } from '../../lib/errors.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { currentState } from '../../lib/fold/fold.ts';
import { importModel } from '../../lib/import/import-model.ts';
import { runPart } from '../../lib/jobs/run-part.ts';
import { runSlice } from '../../lib/jobs/slice.ts';
import { joinEntries } from '../../lib/journal/segments.ts';
import { compileModel, loadModel } from '../../lib/model/model.ts';
import { parseMessage } from '../../lib/online/messages.ts';
import { relayCommand } from '../../lib/online/relay-command.ts';
import { sendDefaults } from '../../lib/online/send-defaults.ts';
import { updateModel } from '../../lib/online/update-model.ts';
import { changeSpec } from '../../lib/operations/change-spec.ts';
import { checkDataset } from '../../lib/operations/check-dataset.ts';
import { createRedrive } from '../../lib/operations/redrive.ts';
import { graphCache } from '../../lib/ports/graph-cache.ts';
import { holdingBack } from '../../lib/ports/hold-back.ts';
import type { Ports, Sender } from '../../lib/ports/ports.ts';
import { createProducer } from '../../lib/ports/producer.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { createServing } from '../../lib/serving/serve.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { start } from '../support/jobs.ts';
import { createWorld, message, sampleMessages, ticket, ticketsSpec } from '../support/world.ts';
import type { Request } from './evaluate-policy.ts';
import { type As, cacheName, sweep, verify } from './record-side-by-side.ts';

/** A request that the code made of AWS, as somebody. */
export type Recorded = Request & { readonly role: string };

const spec = defineSpec({
  ...ticketsSpec,
  online: { minibatch: 2, labelWindow: { hours: 1, default: false } },
  batch: { epochs: 40, minibatch: 4, validation: 0.2 },
});
const { model } = spec;

/** Runs what every function and every person does, and writes down what it asks of S3 and SQS. */
export async function recordRequests(): Promise<readonly Recorded[]> {
  const requests: Recorded[] = [];
  const world = createWorld(spec, {
    keptCheckpointEntries: 4,
    segmentEntries: 4,
    partBytes: 4_000,
  });
  world.store.remove(keys.spec(model));
  const as = (role: string): Ports => ({
    ...world,
    store: recordingStore(world.store, role, requests),
    sendSamples: recordingSender(world.sendSamples, role, 'Samples', requests),
    sendJob: recordingSender(world.sendJob, role, 'Jobs', requests),
    sendCommand: recordingSender(world.sendCommand, role, 'Commands', requests),
    startParts: async () =>
      void requests.push({ role, action: 'states:StartExecution', resource: 'PartsMachine' }),
    startVerification: async () =>
      void requests.push({ role, action: 'states:StartExecution', resource: 'VerifyMachine' }),
    startTrials: async () =>
      void requests.push({ role, action: 'states:StartExecution', resource: 'SweepMachine' }),
  });
  await teach(as, requests);
  await train(as, world.sentSamples);
  await lookAfter(as);
  await verify(as, model);
  await sweep(as, spec);
  await compile(as('run-trial'));
  await ask(as);
  await sendDue(as, requests);
  for (const { name } of [{ name: 'Samples' }, { name: 'Jobs' }, { name: 'Commands' }])
    requests.push(...requestsOfRedrive(name));
  return [...requests, ...requestsOfAsker];
}

/** Every function keeps what it compiled. */
async function compile({ store, log }: Ports): Promise<void> {
  const cache = graphCache(store, log);
  await cache.put(cacheName, Uint8Array.of(1));
  await cache.get(cacheName);
}

async function update(
  ports: Ports,
  sequenceNumber: number,
  body: unknown,
  secondsLeft = () => 100,
) {
  const parsed = [parseMessage(message(sequenceNumber, body))];
  await updateModel(ports, model, parsed, { secondsLeft });
}

async function teach(as: As, requests: Recorded[]): Promise<void> {
  const [operator, online, producer] = [as('Operator'), as('online-update'), as('Producer')];
  const { initial } = await compileModel(operator.engine, spec);
  const { tensors: weights, statistics } = initial;
  await importModel(operator, spec, { weights, statistics });
  await compile(operator);
  // As a producer does that sends very many.
  const send = holdingBack(producer.sendSamples, {
    ...producer,
    limits: { ...producer.limits, floodMessages: 0 },
    async waiting() {
      requests.push({ role: 'Producer', action: 'sqs:GetQueueAttributes', resource: 'Samples' });
      return 0;
    },
  });
  await createProducer(send, model, 'till').send([ticket(1)]);
  await operator.store.put('datasets/late/a.jsonl', Buffer.from(JSON.stringify(ticket(1))));
  await compile(online);
  for (const [i, { body }] of sampleMessages(5).entries()) await update(online, i + 1, body);
  await online.sendJob({ body: '{}', group: model, deduplication: 'the stream has changed' });
  await joinEntries(online, model, 3);
  await update(online, 10, { samples: [{ features: {}, label: true }, ticket(1)] });
  const uri = `s3://${online.store.bucket}/datasets/late/a.jsonl`;
  await update(online, 11, { samples: uri });
  // A row is kept under its id, asked again, and taught by its label.
  const question = { id: 'a', features: ticket(1).features };
  const opened = await openModel(operator, model);
  for (let i = 0; i < 2; i++) await opened.predict([question]);
  await update(online, 12, { labels: [{ id: 'a', label: true }] });
  const reader = as('Reader');
  await graphCache(reader.store, reader.log).get(cacheName);
  const loaded = await loadModel(reader, model);
  if (loaded !== undefined) await currentState(reader, loaded);
}

async function train(as: As, sent: readonly { readonly body: string }[]): Promise<void> {
  const [operator, batch, online] = [as('Operator'), as('batch-train'), as('online-update')];
  const rows = Array.from({ length: 200 }, (_, i) => ({
    ...ticket(i).features,
    label: ticket(i).label,
  }));
  const bad = { urgency: 'much', team: 'red', label: true };
  const text = [...rows, bad].map((row) => JSON.stringify(row)).join('\n');
  await operator.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(text));
  await checkDataset(operator, spec, { dataset: 'past' });
  await operator.sendJob({ body: '{}', group: model, deduplication: 'job' });
  await compile(batch);
  await runSlice(batch, { ...start, dataset: 'past' }, () => 100);
  await batch.sendJob({ body: '{}', group: model, deduplication: 'next slice' });
  await trainInParts(as);
  const promotion = sent.find(({ body }) => body.includes('promote'));
  if (promotion === undefined) throw new Error('the job sent no promotion');
  for (const [i, { body }] of sampleMessages(12).entries()) await update(online, 20 + i, body);
  let asked = 0;
  await update(online, 50, promotion.body, () => (asked++ < 6 ? 100 : 0));
  // The report of its end fails; whoever redrives the message that died of it makes up for it.
  await update(withoutReports(online), 50, promotion.body).catch(() => undefined);
  await createRedrive(operator)([message(50, promotion.body)]);
}

/** A job over a dataset that the state machine prepares. */
async function trainInParts(as: As): Promise<void> {
  const [operator, batch, preparing] = [as('Operator'), as('batch-train'), as('prepare-part')];
  const row = (i: number) => JSON.stringify({ ...ticket(i).features, label: ticket(i).label });
  const text = Array.from({ length: 1_000 }, (_, i) => row(i)).join('\n');
  await operator.store.put(`${keys.dataset('large')}rows.jsonl`, Buffer.from(text));
  const job = { ...start, job: 'large', dataset: 'large' };
  const { place } = await runSlice(batch, job, () => 100);
  const { plan = '' } = place.parts ?? {};
  const parts = await readOrPlanParts(batch, plan, [], { spec, encoder: createEncoder(spec) });
  for (const part of parts)
    await runPart(preparing, { model, job: job.job, plan, part }, () => 100);
  await runSlice(batch, { ...job, slice: place.slice }, () => 100);
}

/** Ports that ask for a report to be written, and get no answer. */
function withoutReports(ports: Ports): Ports {
  const { store } = ports;
  const put: ObjectStore['put'] = async (key, body, condition) => {
    if (!key.endsWith('progress.json')) return store.put(key, body, condition);
    await store.put(key, body, { ifMatch: '"of another"' });
    throw new MillraceError('unavailable', 'away');
  };
  return { ...ports, store: { ...store, put } };
}

async function lookAfter(as: As): Promise<void> {
  const operator = as('Operator');
  const io = {
    ports: operator,
    print: () => undefined,
    result: () => undefined,
    mayChange: async () => true,
  };
  const faster = { ...spec, online: { ...spec.online, minibatch: 4 } };
  await changeSpec(operator, model, faster, { isRelearnt: true });
  await rollback(io, model, '3');
  await relayCommand(as('relay-command').sendSamples, {
    deduplication: 'a',
    body: JSON.stringify({ rollback: { to: 3 } }),
    group: model,
  });
  await retract(io, model, { message: message(1, '').id });
  await showQuarantine(io, model, true);
  await createRedrive(operator)([message(90, { samples: [ticket(1)] })]);
}

async function ask(as: As): Promise<void> {
  const serve = createServing(as('predict'));
  const samples = [ticket(1), { id: 'b', features: ticket(1).features }];
  const request = { model, samples, maxAgeSeconds: 0 };
  for (let i = 0; i < 2; i++) await serve(request, () => 100);
  const { store, log } = as('predict');
  await graphCache(store, log).get(cacheName);
}

/** Of two questions one has its label. */
async function sendDue(as: As, requests: Recorded[]): Promise<void> {
  const role = 'send-defaults';
  const ports = as(role);
  const remove = async (key: string) => {
    requests.push({ role, action: 's3:DeleteObject', resource: key });
  };
  await sendDefaults({ ...ports, now: () => ports.now() + 7_200_000 }, remove, () => 100);
}

/** Somebody who asks for predictions does it by Lambda alone. */
const requestsOfAsker: readonly Recorded[] = ['InvokeFunction', 'InvokeFunctionUrl'].map(
  (name) => ({
    role: 'Asker',
    action: `lambda:${name}`,
    resource: '',
  }),
);

/** What `lib/ports/dead-letters.ts` asks of a queue. */
function requestsOfRedrive(name: string): readonly Recorded[] {
  const dead = ['ReceiveMessage', 'DeleteMessage', 'ChangeMessageVisibility', 'GetQueueAttributes'];
  return [
    { role: 'Operator', action: 'sqs:GetQueueAttributes', resource: name },
    ...dead.map((action) => ({
      role: 'Operator',
      action: `sqs:${action}`,
      resource: `${name}DeadLetters`,
    })),
  ];
}

function recordingStore(store: ObjectStore, role: string, requests: Recorded[]): ObjectStore {
  const read = (key: string) => {
    requests.push({ role, action: 's3:GetObject', resource: key });
    // S3 answers 404 only to those who may list.
    requests.push({ role, action: 's3:ListBucket', resource: '' });
  };
  return {
    bucket: store.bucket,
    get(key, part) {
      read(key);
      return store.get(key, part);
    },
    getChanged(key, etag) {
      read(key);
      return store.getChanged(key, etag);
    },
    put(key, body, condition) {
      const isOnce = condition !== undefined && 'ifNoneMatch' in condition;
      const context: Record<string, string> = isOnce ? { 's3:if-none-match': '*' } : {};
      requests.push({ role, action: 's3:PutObject', resource: key, context });
      return store.put(key, body, condition);
    },
    list(prefix) {
      requests.push({ role, action: 's3:ListBucket', resource: '' });
      return store.list(prefix);
    },
    folders(prefix) {
      requests.push({ role, action: 's3:ListBucket', resource: '' });
      return store.folders(prefix);
    },
  };
}

function recordingSender(send: Sender, role: string, queue: string, requests: Recorded[]): Sender {
  return (sent) => {
    requests.push({ role, action: 'sqs:SendMessage', resource: queue });
    return send(sent);
  };
}
