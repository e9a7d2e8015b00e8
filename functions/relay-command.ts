import { Logger } from '@aws-lambda-powertools/logger';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { SQSHandler } from 'aws-lambda';
import { isOfKind } from '../lib/errors.ts';
import { limits } from '../lib/limits.ts';
import { relayCommand } from '../lib/online/relay-command.ts';
import { addressFromEnvironment } from '../lib/ports/address.ts';
import { clientSettings } from '../lib/ports/aws.ts';
import { pauseSeconds } from '../lib/ports/redelivery.ts';
import { sqsSender, sqsVisibility } from '../lib/ports/sqs.ts';

const logger = new Logger();
const address = addressFromEnvironment(process.env);
const sqs = new SQSClient(clientSettings);
const sendSamples = sqsSender(sqs, address.samplesQueueUrl);
const setVisibility = sqsVisibility(sqs, address.commandsQueueUrl, logger);

/**
 * commands.fifo → the model's own group of samples.fifo: whoever may send commands is told apart
 * from whoever may send samples, and a command still takes its turn in the stream.
 */
export const handler: SQSHandler = async ({ Records }) => {
  for (const { messageId: id, body, attributes, receiptHandle: receipt } of Records) {
    try {
      await relayCommand(sendSamples, {
        deduplication: attributes.MessageDeduplicationId ?? id,
        body,
        group: attributes.MessageGroupId ?? '',
      });
    } catch (error) {
      if (isOfKind(error, 'invalid')) {
        logger.error('a message of the commands queue was refused', { id, error });
        continue;
      }
      const receives = Number(attributes.ApproximateReceiveCount);
      await setVisibility([
        { receipt, seconds: pauseSeconds(receives, limits.longestPauseSeconds) },
      ]);
      throw error;
    }
  }
};
