import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';
import { bundleFunctions, httpAlone, oneLanguage, requireInModules } from '../bundle-functions.ts';
import { copyRuntime } from '../copy-runtime.ts';
import { projectDirectory, synthesize } from '../local/synthesize.ts';
import { noticesOf } from './notices.ts';
import { writeTypes } from './types.ts';

/**
 * Makes the package that is published: `npm run build` writes the folder `dist/` and its tarball in
 * it; `npm run build -- <folder>` another folder, which it empties first.
 * Everything but the CDK is bundled into it, so that it installs without a registry and without
 * install scripts; ONNX Runtime, for Linux, comes along as a bundled dependency.
 */
const source = (path: string) => join(projectDirectory, path);
const output = resolve(process.argv[2] ?? source('dist'));
const target = (path: string) => join(output, path);

/** The oldest Node that has zstd. */
const oldest = [22, 15] as const;

/** What a consumer imports, by the name of its subpath; and the programs. */
const doors = { millrace: '.', operations: './operations', cdk: './cdk', local: './local' };
const programs = {
  main: 'infra/cli.ts',
  emulator: 'infra/local/emulator.ts',
  'function-process': 'infra/local/function-process.ts',
};

/** In a bundle, what fauxqs does not export is named by its path. */
const partsOfFauxqs: Plugin = {
  name: 'parts of fauxqs',
  setup(bundler) {
    bundler.onLoad({ filter: /fauxqs-parts\.ts$/ }, () => {
      const dist = dirname(source('node_modules/fauxqs/dist/app.js'));
      const stores = ['sqs/sqsStore', 'sqs/sqsTypes', 'sns/snsStore', 's3/s3Store'];
      const modules = [...stores, 'persistence', 'common/errors'];
      const imports = modules.map(
        (name) => `"./${name}.js": () => import(${JSON.stringify(join(dist, `${name}.js`))})`,
      );
      const contents = `const parts = {${imports.join()}};\nexport const loadPart = (path) => parts[path]();`;
      return { contents, loader: 'js', resolveDir: dist };
    });
  },
};

async function bundleDoors(): Promise<Metafile> {
  const entries = Object.keys(doors).map((name) => [name, source(`infra/package/${name}.ts`)]);
  const { metafile } = await build({
    entryPoints: {
      ...Object.fromEntries(entries),
      ...Object.fromEntries(Object.entries(programs).map(([name, path]) => [name, source(path)])),
    },
    outdir: output,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    mainFields: ['module', 'main'],
    external: ['aws-cdk-lib', 'constructs', 'onnxruntime-node', 'esbuild'],
    plugins: [oneLanguage, httpAlone, partsOfFauxqs],
    // Parsing takes most of the time of an import; an error still shows a line that can be read.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    legalComments: 'none',
    banner: { js: requireInModules },
    metafile: true,
    logLevel: 'error',
  });
  return metafile;
}

/** The stack as it runs on a machine, with the functions of the package. */
async function synthesizeForPackage(): Promise<void> {
  const assembly = target('cdk.out');
  await synthesize(assembly);
  const name = 'Millrace.template.json';
  const template = readFileSync(join(assembly, name), 'utf8');
  mkdirSync(target('assembly'));
  writeFileSync(
    target(`assembly/${name}`),
    template.replaceAll(/("aws:asset:path": )"[^"]*"/g, '$1"../functions"'),
  );
  rmSync(assembly, { recursive: true });
}

/** The bundled dependency, without what it would fetch when it is installed. */
function bringRuntime(): Record<string, string> {
  copyRuntime(output, new Set(['linux/arm64', 'linux/x64']));
  const path = target('node_modules/onnxruntime-node/package.json');
  const { scripts: _, devDependencies: __, dependencies, ...kept } = readJson(path);
  const common = 'onnxruntime-common';
  const own = { ...kept, dependencies: { [common]: dependencies?.[common] } };
  writeFileSync(path, `${JSON.stringify(own, null, 2)}\n`);
  return { 'onnxruntime-node': String(kept.version), [common]: String(dependencies?.[common]) };
}

function readJson(path: string): Record<string, Record<string, string> | undefined> {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function writeManifest(runtime: Record<string, string>): void {
  const { name, version, description, license, dependencies } = readJson(source('package.json'));
  const door = (file: string) => ({
    types: `./types/infra/package/${file}.d.ts`,
    default: `./${file}.js`,
  });
  const ranges = (names: readonly string[]) =>
    Object.fromEntries(names.map((each) => [each, `^${dependencies?.[each]}`]));
  // The types speak of Node's.
  const peers = { ...ranges(['aws-cdk-lib', 'constructs']), '@types/node': '*' };
  const manifest = {
    name,
    version,
    description,
    license,
    type: 'module',
    engines: { node: `>=${oldest.join('.')}` },
    bin: { millrace: './cli.js' },
    exports: {
      ...Object.fromEntries(Object.entries(doors).map(([file, path]) => [path, door(file)])),
      './spec.schema.json': './spec.schema.json',
      './package.json': './package.json',
    },
    dependencies: runtime,
    bundleDependencies: Object.keys(runtime),
    peerDependencies: peers,
    peerDependenciesMeta: Object.fromEntries(
      Object.keys(peers).map((peer) => [peer, { optional: true }]),
    ),
  };
  writeFileSync(target('package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** The command: an older Node would stop at the first import with a line of JavaScript. */
function writeCommand(): void {
  const lines = [
    '#!/usr/bin/env node',
    "const [major, minor] = process.versions.node.split('.').map(Number);",
    `if (major < ${oldest[0]} || (major === ${oldest[0]} && minor < ${oldest[1]})) {`,
    `  const found = 'found ' + process.versions.node;`,
    `  console.error('millrace needs Node ${oldest.join('.')} or newer (' + found + ')');`,
    '  process.exit(1);',
    '}',
    // What was compiled once is not compiled by the next command; older ones have no cache.
    "const { enableCompileCache } = await import('node:module');",
    'enableCompileCache?.();',
    "await import('./main.js');",
  ];
  writeFileSync(target('cli.js'), `${lines.join('\n')}\n`, { mode: 0o755 });
}

rmSync(output, { recursive: true, force: true });
mkdirSync(output);
const metafile = await bundleDoors();
writeCommand();
await bundleFunctions(target('functions'));
await synthesizeForPackage();
writeManifest(bringRuntime());
writeTypes(
  output,
  Object.keys(doors).map((name) => `infra/package/${name}`),
);
for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE', 'SECURITY.md'])
  copyFileSync(source(file), target(file));
copyFileSync(source('docs/spec.schema.json'), target('spec.schema.json'));
cpSync(source('docs'), target('docs'), {
  recursive: true,
  filter: (path) => !/decisions/.test(path),
});
writeFileSync(target('THIRD-PARTY-NOTICES.txt'), noticesOf(Object.keys(metafile.inputs)));
execFileSync('npm', ['pack', '--silent', '--pack-destination', output], {
  cwd: output,
  stdio: 'inherit',
});
