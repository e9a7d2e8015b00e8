/** `millrace/operations`: what the command line does, for programs. */
export { openFile } from '../../lib/datasets/local-file.ts';
export { exportModel } from '../../lib/export/export-model.ts';
export { type ExportFormat, exportFormats } from '../../lib/export/formats/format.ts';
export { type Imported, importModel } from '../../lib/import/import-model.ts';
export type { Weights } from '../../lib/import/weights.ts';
export { readWeightsFile } from '../../lib/import/weights-file.ts';
export { checkDataset } from '../../lib/operations/check-dataset.ts';
export { describeJobs, describeModel, listModels } from '../../lib/operations/describe-model.ts';
export { draftSpec } from '../../lib/operations/draft-spec.ts';
export { evaluateFile } from '../../lib/operations/evaluate-file.ts';
export { putDataset } from '../../lib/operations/put-dataset.ts';
export { type RetractChoice, retract } from '../../lib/operations/retract.ts';
export { refusedMessages, retryQuarantine } from '../../lib/operations/retry.ts';
export { type RollbackTarget, rollBack } from '../../lib/operations/rollback.ts';
export { sendFile } from '../../lib/operations/send-file.ts';
export { startJob } from '../../lib/operations/start-job.ts';
export { verifyModel } from '../../lib/operations/verify.ts';
