import { execFileSync } from 'node:child_process';
import { cpSync, existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AssetHashType } from 'aws-cdk-lib';
import { Architecture, Code, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { copyRuntime } from './copy-runtime.ts';

/** What the functions run on. */
export const runtime = Runtime.NODEJS_24_X;

/** A file beside this one, or beside the bundle that this file became a part of. */
const beside = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * The code of all functions, one asset with a handler a file: `<name>.handler`. In the project it
 * is bundled from the sources; the published package brings it along.
 */
export function functionsCode(scope: Construct, architecture: Architecture): Code {
  const prebuilt = beside('./functions');
  const isPrebuilt = existsSync(prebuilt);
  const isLocal = scope.node.tryGetContext('millrace:local') !== undefined;
  const lambda = architecture.name === Architecture.X86_64.name ? 'linux/x64' : 'linux/arm64';
  const platform = isLocal ? `${process.platform}/${process.arch}` : lambda;
  return Code.fromAsset(isPrebuilt ? prebuilt : beside('../functions'), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: runtime.bundlingImage,
      // What is bundled once for an app is told apart by such settings alone.
      environment: { PLATFORM: platform },
      local: {
        tryBundle(output) {
          if (isPrebuilt) cpSync(prebuilt, output, { recursive: true });
          else execFileSync(process.execPath, [beside('./bundle-functions.ts'), output]);
          copyRuntime(output, new Set([platform]));
          return true;
        },
      },
    },
  });
}
