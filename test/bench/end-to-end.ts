import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startLocalCloud } from '../../infra/local/cloud.ts';
import { localPorts } from '../../infra/local/ports.ts';
import { synthesize } from '../../infra/local/synthesize.ts';
import { readFlights, toSample } from '../../lib/examples/flights/data.ts';
import { flightsSpec } from '../../lib/examples/flights/spec.ts';
import { headersAfter } from '../../lib/journal/reading.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { createProducer } from '../../lib/ports/producer.ts';

/**
 * `node test/bench/end-to-end.ts [--s3 <milliseconds>] [--samples <count>]`: how many flights a
 * second one model learns over the real protocols, in messages of 256, while each request to S3
 * takes so much longer than this machine needs.
 */
const { values } = parseArgs({
  options: {
    s3: { type: 'string', default: '0' },
    samples: { type: 'string', default: '200000' },
  },
});
const messageSamples = 256;
/** Deliveries before the clock runs: the first starts the function. */
const warmUp = 3;
const { model } = flightsSpec;

const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
const assembly = join(directory, 'assembly');
await synthesize(assembly);
const cloud = await startLocalCloud(assembly, directory);
try {
  const ports = localPorts(cloud);
  await createModel(ports, flightsSpec);
  cloud.delayS3(Number(values.s3));
  const producer = createProducer(ports.sendSamples, model, 'bench');
  let sent = 0;
  for await (const { flights } of readFlights(1, 5)) {
    if (sent >= Number(values.samples)) break;
    for (let start = 0; start < flights.length; start += messageSamples) {
      const samples = flights.slice(start, start + messageSamples).map(toSample);
      await producer.send(samples);
      sent += samples.length;
    }
  }
  let sequence = 0;
  let learnt = 0;
  const entries: { readonly time: number; readonly samples: number }[] = [];
  while (learnt < sent) {
    await delay(200);
    for await (const header of headersAfter(ports.store, model, sequence)) {
      const samples = header.messages.reduce((sum, message) => sum + message.samples, 0);
      entries.push({ time: Date.parse(header.time), samples });
      sequence = header.sequence;
      learnt += samples;
    }
  }
  const [first, ...measured] = entries.slice(warmUp);
  const samples = measured.reduce((sum, entry) => sum + entry.samples, 0);
  const seconds = ((measured.at(-1)?.time ?? 0) - (first?.time ?? 0)) / 1_000;
  const line =
    `${Math.round(samples / seconds).toLocaleString('en')} samples/s learnt in ` +
    `${measured.length} deliveries of ${Math.round(samples / measured.length)}, each request to S3 ` +
    `${values.s3} ms longer`;
  process.stdout.write(`${line}\n`);
} finally {
  await cloud.stop();
  rmSync(directory, { recursive: true, force: true });
}
