import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Exported } from '../../lib/export/exported.ts';
import type { Files } from '../../lib/export/formats/format.ts';
import { type Question, tfjsInputs } from './ask.ts';

/** A browser without a screen; undefined if there is none on this machine. */
export const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (command) => spawnSync(command, ['--version']).status === 0,
);

/** A page that loads the model as its card says, asks it, and sends the answers back. */
const page = (inputs: unknown) => `<!doctype html><script src="tf.min.js"></script><script>
  (async () => {
    await tf.setBackend('cpu');
    const model = await tf.loadLayersModel('model.json');
    const inputs = ${JSON.stringify(inputs)};
    const tensors = inputs.map(({ values, shape, dtype }) => tf.tensor(values, shape, dtype));
    return Array.from(model.predict(tensors).dataSync());
  })()
    .catch(String)
    .then((answers) => fetch('answers', { method: 'POST', body: JSON.stringify(answers) }));
</script>`;

/** What an exported tfjs model answers in a browser, [rows, outputs]. */
export async function askChromium(
  exported: Exported,
  files: Files,
  questions: readonly Question[],
): Promise<Float32Array> {
  const tfjs = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs/package.json'));
  const served: Record<string, Uint8Array | string> = {
    ...files,
    '': page(tfjsInputs(exported, questions)),
    'tf.min.js': readFileSync(join(tfjs, 'dist/tf.min.js')),
  };
  const answers = Promise.withResolvers<unknown>();
  const server = createServer(async (request, response) => {
    const name = (request.url ?? '/').slice(1);
    if (name === 'answers') answers.resolve(JSON.parse(await text(request)));
    const type = name === '' ? 'text/html' : 'application/octet-stream';
    response.setHeader('content-type', type).end(served[name] ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const profile = mkdtempSync(join(tmpdir(), 'millrace-chromium-'));
  const browser = spawn(chromium ?? 'chromium', [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    `--user-data-dir=${profile}`,
    '--remote-debugging-port=0',
    `http://127.0.0.1:${port}/`,
  ]);
  browser.once('exit', (status) => answers.reject(new Error(`the browser ended: ${status}`)));
  try {
    const found = await answers.promise;
    if (!Array.isArray(found)) throw new Error(`the page failed: ${found}`);
    return Float32Array.from(found);
  } finally {
    browser.removeAllListeners('exit');
    const ended = new Promise((resolve) => browser.once('exit', resolve));
    browser.kill();
    await ended;
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
