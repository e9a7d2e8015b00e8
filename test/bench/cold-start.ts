import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startLocalCloud } from '../../infra/local/cloud.ts';
import { localPorts } from '../../infra/local/ports.ts';
import { synthesize } from '../../infra/local/synthesize.ts';
import { readFlights, toSample } from '../../lib/examples/flights/data.ts';
import { flightsSpec } from '../../lib/examples/flights/spec.ts';
import { createModel } from '../../lib/model/create-model.ts';

/** Milliseconds from the start of the function's process, of each repetition. */
export type ColdStart = {
  /** Until the bundled handler has answered an empty event. */
  readonly ready: readonly number[];
  /** Until Node itself has started and ended, with nothing to do. */
  readonly node: readonly number[];
  /**
   * Until it has learnt a message, with S3 on this machine and the compiled model in its bucket.
   */
  readonly firstUpdate: readonly number[];
  /** Until the function that predicts has answered, with the same at hand. */
  readonly firstPrediction: readonly number[];
};

/** Time for a killed process to be gone. */
const exitMilliseconds = 500;

/** Starts the bundled functions again and again, and sends each a message or a request. */
export async function measureColdStart(repetitions: number): Promise<ColdStart> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const assembly = join(directory, 'assembly');
  await synthesize(assembly);
  const cloud = await startLocalCloud(assembly, directory);
  try {
    await createModel(localPorts(cloud), flightsSpec);
    const host = cloud.functions.get('online-update');
    const predict = cloud.functions.get('predict');
    if (host === undefined || predict === undefined) throw new Error('the stack has no functions');
    const { value: chunk } = await readFlights(1, 1).next();
    const samples = chunk?.flights.slice(0, 256).map(toSample);
    const update = (seq: number) => ({
      Records: [
        {
          messageId: randomUUID(),
          body: JSON.stringify({ producer: 'bench', seq, samples }),
          attributes: { MessageGroupId: flightsSpec.model, SequenceNumber: String(seq) },
          eventSourceARN: 'bench',
        },
      ],
    });
    // The first one compiles the model for those after it.
    await host.invoke(update(1));
    const result = {
      ready: [] as number[],
      node: [] as number[],
      firstUpdate: [] as number[],
      firstPrediction: [] as number[],
    };
    const request = { model: flightsSpec.model, samples: samples?.slice(0, 1) };
    for (let i = 0; i < repetitions; i++) {
      host.kill();
      await delay(exitMilliseconds);
      const bare = performance.now();
      spawnSync(process.execPath, ['-e', '0']);
      result.node.push(performance.now() - bare);
      const started = performance.now();
      await host.invoke({ Records: [] });
      result.ready.push(performance.now() - started);
      await host.invoke(update(i + 2));
      result.firstUpdate.push(performance.now() - started);
      predict.kill();
      await delay(exitMilliseconds);
      const asked = performance.now();
      await predict.invoke(request);
      result.firstPrediction.push(performance.now() - asked);
    }
    return result;
  } finally {
    await cloud.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
