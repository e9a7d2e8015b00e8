/** `millrace/cdk`: the stack as a construct of the CDK, with its functions bundled. */
export { Millrace, type MillraceProps } from '../millrace.ts';
export type { ScheduledJob } from '../schedules.ts';
