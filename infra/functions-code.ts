import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AssetHashType } from 'aws-cdk-lib';
import { Code, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

/** What the functions run on. */
export const runtime = Runtime.NODEJS_24_X;

/** A file beside this one, or beside the bundle that this file became a part of. */
const beside = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * The code of all functions, one asset with a handler a file: `<name>.handler`. In the project it
 * is bundled from the sources; the published package brings it along.
 */
export function functionsCode(scope: Construct): Code {
  const prebuilt = beside('./functions');
  if (existsSync(prebuilt)) return Code.fromAsset(prebuilt);
  // Lambda's own, and this machine's where the functions run on it.
  const platforms = new Set([
    'linux/x64',
    ...(scope.node.tryGetContext('millrace:local') === undefined
      ? []
      : [`${process.platform}/${process.arch}`]),
  ]);
  return Code.fromAsset(beside('../functions'), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: runtime.bundlingImage,
      local: {
        tryBundle(output) {
          const program = [beside('./bundle-functions.ts'), output, ...platforms];
          execFileSync(process.execPath, program, { stdio: ['ignore', 'inherit', 'inherit'] });
          return true;
        },
      },
    },
  });
}
