/**
 * The package `millrace`: declare a model, teach it and ask it, from a program. Importing it loads
 * neither tfjs nor an engine; they are loaded by what needs them.
 */
export { isOfKind, MillraceError } from '../../lib/errors.ts';
export { createModel } from '../../lib/model/create-model.ts';
export { type ConnectSettings, connect } from '../../lib/ports/connect.ts';
export type { Log, Ports } from '../../lib/ports/ports.ts';
export {
  createProducer,
  freshProducer,
  openProducer,
  type Producer,
} from '../../lib/ports/producer.ts';
export { type OpenModel, openModel } from '../../lib/serving/open-model.ts';
export type { QuestionOf, SampleOf } from '../../lib/spec/samples-of.ts';
export { defineSpec, parseSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
