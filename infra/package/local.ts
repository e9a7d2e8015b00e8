/** `millrace/local`: the whole stack on this machine, for tests and tries. */
export { type LocalStack, type LocalStackSettings, startLocal } from '../local/start-local.ts';
