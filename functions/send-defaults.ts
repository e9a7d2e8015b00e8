import { Logger } from '@aws-lambda-powertools/logger';
import { S3Client } from '@aws-sdk/client-s3';
import type { Context } from 'aws-lambda';
import { sendDefaults } from '../lib/online/send-defaults.ts';
import { addressFromEnvironment } from '../lib/ports/address.ts';
import { clientSettings, readerPorts } from '../lib/ports/aws.ts';
import { s3Remover } from '../lib/ports/s3.ts';

const logger = new Logger();
const address = addressFromEnvironment(process.env);
const ports = readerPorts(address, logger);
const remove = s3Remover(new S3Client(clientSettings), address.bucket);

/** Questions whose labels did not come in time → samples.fifo. Invoked by a schedule. */
export const handler = async (_event: unknown, context: Context): Promise<void> => {
  const started = ports.now();
  const secondsLeft = () => context.getRemainingTimeInMillis() / 1_000;
  await sendDefaults(ports, remove, secondsLeft, (sent) =>
    logger.info('defaults sent', { ...sent, milliseconds: ports.now() - started }),
  );
};
