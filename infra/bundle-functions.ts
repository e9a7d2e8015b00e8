import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** CommonJS that is bundled into modules asks for Node's own by `require`. */
export const requireInModules =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

/** Zod brings the words of 50 languages; its errors are put into ours. */
export const oneLanguage: Plugin = {
  name: 'one language',
  setup(bundler) {
    bundler.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({ contents: '' }));
  },
};

/**
 * A module's `import('node:http')` asks for all that it exports, undici's WebSocket among them, and
 * waits for it longer than for the rest of Node's HTTP: 65 ms, 20 by `require`.
 */
export const httpAlone: Plugin = {
  name: 'http alone',
  setup(bundler) {
    const asked = 'await import("node:http")';
    bundler.onLoad(
      { filter: /@smithy\/node-http-handler\/.*\/node-http-handler\.js$/ },
      ({ path }) => {
        const source = readFileSync(path, 'utf8');
        if (!source.includes(asked)) throw new Error(`${path} has no ${asked} any more`);
        return { contents: source.replace(asked, 'require("node:http")') };
      },
    );
  },
};

/**
 * Bundles the functions of `functions/` with all they need but ONNX Runtime into one folder, a
 * handler a file. What they share is there once.
 */
export async function bundleFunctions(output: string): Promise<void> {
  const functions = fileURLToPath(new URL('../functions', import.meta.url));
  await build({
    entryPoints: readdirSync(functions).map((file) => join(functions, file)),
    outdir: output,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'shared/[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // tfjs' CommonJS build is ES5, which V8 runs a third slower than its ES modules.
    mainFields: ['module', 'main'],
    external: ['onnxruntime-node'],
    plugins: [oneLanguage, httpAlone],
    banner: { js: requireInModules },
    legalComments: 'none',
    logLevel: 'error',
  });
}

// `node bundle-functions.ts <folder>`: the CDK bundles without waiting for a promise.
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await bundleFunctions(process.argv[2] ?? '');
